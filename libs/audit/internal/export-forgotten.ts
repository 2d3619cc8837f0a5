import { setTimeout as pause } from 'node:timers/promises';
import type { DataSource, EntityManager } from 'typeorm';
import { type Entry, ENTRY_JSON } from './entry.js';
import { latestTree } from './signed-tree.js';
import { readRoots } from './stored-tree.js';
import { consistencyPath, inclusionPath } from './tree-paths.js';

const LONGEST_STATEMENT = '30min';
const PATIENCE_MS = 60_000;
const POLL_MS = 100;

/** A record of an erasure and the commitments of what it covers, base64. */
interface Forgotten {
  readonly record: string;
  readonly commitments: readonly string[];
}

/**
 * What was forgotten of the first `to` leaves by now, later than the leaves were read: those that went out without content
 * are among it. A record whose own leaf is not below `to` follows with its proof, to a later checkpoint that is shown to
 * begin with the tree of `to` leaves.
 */
export async function readForgotten(db: DataSource, to: number): Promise<object[]> {
  const forgotten = await db.transaction((tx) => forgottenBelow(tx, to));
  await recordsSequenced(
    db.manager,
    forgotten.map(({ record }) => record),
  );
  return db.transaction('REPEATABLE READ', async (tx) => {
    const { size, note } = await latestTree(tx);
    const lines: object[] = [];
    if (size > to) lines.push({ later: note, hashes: await proof(tx, consistencyPath(to, size)) });
    const later = await recordsFrom(tx, to, forgotten);
    for (const { record, commitments } of forgotten) {
      const leaf = later.get(record);
      lines.push({ forgotten: record, commitments, ...(leaf && { record: await proved(tx, leaf, size) }) });
    }
    return lines;
  });
}

async function forgottenBelow(tx: EntityManager, to: number): Promise<Forgotten[]> {
  await tx.query(`SET LOCAL statement_timeout = '${LONGEST_STATEMENT}'`);
  return tx.query<Forgotten[]>(
    `SELECT f.record_id AS record, array_agg(translate(encode(f.commitment, 'base64'), E'\\n', '')) AS commitments
     FROM audit_forgotten f LEFT JOIN audit_leaf l ON l.commitment = f.commitment
       LEFT JOIN audit_leaf r ON r.event_id = f.record_id
     GROUP BY f.record_id HAVING bool_or(l.leaf_index < $1) OR bool_or(r.leaf_index < $1)`,
    [to],
  );
}

/** An export that cannot end in a way that verifies does not end: what reads it sees that it was cut. */
async function recordsSequenced(tx: EntityManager, records: readonly string[]): Promise<void> {
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    const [waiting] = await tx.query<unknown[]>(
      'SELECT FROM audit_pending WHERE event_id = ANY($1) LIMIT 1',
      [records],
    );
    if (waiting === undefined) return;
    if (performance.now() > until)
      throw new Error('records of erasures wait for their leaves: no worker sequences');
    await pause(POLL_MS);
  }
}

interface RecordLeaf {
  readonly leaf_index: string;
  readonly commitment: Buffer;
  readonly salt: Buffer;
  readonly event: Entry;
}

/** Those that have their leaf at `to` or after. */
async function recordsFrom(
  tx: EntityManager,
  to: number,
  forgotten: readonly Forgotten[],
): Promise<ReadonlyMap<string, RecordLeaf>> {
  const leaves = await tx.query<RecordLeaf[]>(
    `SELECT l.leaf_index, l.commitment, e.salt, ${ENTRY_JSON} AS event
     FROM audit_leaf l JOIN audit_event e ON e.id = l.event_id WHERE l.event_id = ANY($1) AND l.leaf_index >= $2`,
    [forgotten.map(({ record }) => record), to],
  );
  return new Map(leaves.map((leaf) => [leaf.event.id, leaf]));
}

async function proved(tx: EntityManager, leaf: RecordLeaf, size: number): Promise<object> {
  const leafIndex = Number(leaf.leaf_index);
  return {
    leafIndex,
    commitment: leaf.commitment.toString('base64'),
    salt: leaf.salt.toString('base64'),
    event: leaf.event,
    hashes: await proof(tx, inclusionPath(leafIndex, size)),
  };
}

/** None where the stored tree lacks what it takes: the verifier must get to say so. */
async function proof(tx: EntityManager, spans: Parameters<typeof readRoots>[1]): Promise<string[]> {
  try {
    return (await readRoots(tx, spans)).map((hash) => hash.toString('base64'));
  } catch (error) {
    if (error instanceof RangeError) return [];
    throw error;
  }
}
