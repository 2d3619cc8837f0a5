import type { EntityManager } from 'typeorm';
import { loggedAnswer, type LoggedAnswer } from './logged-decisions.js';
import { STORED_DECISIONS } from './stored-decisions.js';

const AT_ONCE = 20_000;
/** Of each kind. */
const MOST_NAMED = 100;

export interface Reconciliation {
  readonly missing: readonly string[];
  /** Answers that a log tells of, and how many of them were decisions. */
  readonly answers: number;
  readonly decisions: number;
}

/** Compares what the installation decided with the leaves of its log: what has none is named. */
export async function reconcile(
  tx: EntityManager,
  logs: readonly AsyncIterable<string>[],
): Promise<Reconciliation> {
  const missing: string[] = [];
  for (const { decision, missing: sql } of STORED_DECISIONS) {
    const rows = await tx.query<{ what: string }[]>(`${sql} ORDER BY 1 LIMIT ${MOST_NAMED}`);
    missing.push(...rows.map(({ what }) => `${decision}: ${what}`));
  }
  let [answers, decisions] = [0, 0];
  let batch: LoggedAnswer[] = [];
  for (const log of logs) {
    for await (const line of log) {
      const answer = loggedAnswer(line);
      if (answer === undefined) continue;
      answers++;
      if (answer.decided) decisions++;
      if (answer.decided && answer.receipts.length === 0)
        missing.push(`${named(answer)}: no entry was written`);
      if (answer.receipts.length > 0) batch.push(answer);
      if (batch.length >= AT_ONCE) missing.push(...(await unknownReceipts(tx, batch.splice(0))));
    }
  }
  missing.push(...(await unknownReceipts(tx, batch)));
  batch = [];
  return { missing, answers, decisions };
}

/** Entries that were written for an answer, says its log, and that have no leaf. */
async function unknownReceipts(tx: EntityManager, answers: readonly LoggedAnswer[]): Promise<string[]> {
  const receipts = answers.flatMap((answer) => answer.receipts);
  if (receipts.length === 0) return [];
  const rows = await tx.query<{ receipt: string }[]>(
    `SELECT encode(r, 'hex') AS receipt FROM unnest($1::bytea[]) AS r
     WHERE NOT EXISTS (SELECT FROM audit_leaf l WHERE substring(l.commitment FROM 2 FOR 16) = r)
       AND NOT EXISTS (SELECT FROM audit_pending p WHERE substring(p.commitment FROM 2 FOR 16) = r)`,
    [receipts.map((receipt) => Buffer.from(receipt, 'hex'))],
  );
  const unknown = new Set(rows.map(({ receipt }) => receipt));
  return answers.flatMap((answer) =>
    answer.receipts
      .filter((receipt) => unknown.has(receipt))
      .map((receipt) => `${named(answer)}: its entry ${receipt}… has no leaf`),
  );
}

function named({ requestId, at, route, status }: LoggedAnswer): string {
  return `request ${requestId} (${at}, ${route}, ${status})`;
}
