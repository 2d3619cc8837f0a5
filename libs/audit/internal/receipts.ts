import { currentContext } from '#platform/request-context';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager, type EntitySubscriberInterface, type QueryRunner } from 'typeorm';

/** A log line has room for no more of one request. */
const MOST = 100;

export interface Receipt {
  readonly text: string;
  /** Whose erasure forgets the entry. */
  readonly about: string | null;
}

/** By the connection whose transaction has yet to commit. */
const uncommitted = new WeakMap<QueryRunner, readonly Receipt[]>();

/** A receipt is for the request's log line, and only of what committed. */
export function noteReceipts(tx: EntityManager, added: readonly Receipt[]): void {
  const receipts = currentContext()?.receipts;
  if (receipts === undefined) return;
  const runner = tx.queryRunner;
  if (runner?.isTransactionActive !== true) addTo(receipts, added);
  else uncommitted.set(runner, [...(uncommitted.get(runner) ?? []), ...added]);
}

/** Of entries that the same transaction forgets: the line of a request that names who was erased must not name their leaves. */
export function dropReceipts(tx: EntityManager, forgotten: string): void {
  const runner = tx.queryRunner;
  const noted = runner === undefined ? undefined : uncommitted.get(runner);
  if (runner === undefined || noted === undefined) return;
  uncommitted.set(
    runner,
    noted.filter(({ about }) => about !== forgotten.toLowerCase()),
  );
}

/** Short enough not to be taken for a key by what scrubs the log. */
export function receiptOf(commitment: Buffer): string {
  return commitment.subarray(1, 17).toString('hex');
}

function addTo(receipts: string[], added: readonly Receipt[]): void {
  receipts.push(...added.slice(0, MOST - receipts.length).map(({ text }) => text));
}

@Injectable()
export class ReceiptsAtCommit implements EntitySubscriberInterface {
  constructor(db: DataSource) {
    db.subscribers.push(this);
  }

  afterTransactionCommit({ queryRunner }: { queryRunner: QueryRunner }): void {
    if (queryRunner.isTransactionActive) return;
    const receipts = currentContext()?.receipts;
    const added = uncommitted.get(queryRunner) ?? [];
    uncommitted.delete(queryRunner);
    if (receipts !== undefined) addTo(receipts, added);
  }

  afterTransactionRollback({ queryRunner }: { queryRunner: QueryRunner }): void {
    if (!queryRunner.isTransactionActive) uncommitted.delete(queryRunner);
  }
}
