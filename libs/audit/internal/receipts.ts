import { currentContext } from '#platform/request-context';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager, type EntitySubscriberInterface, type QueryRunner } from 'typeorm';

/** A log line has room for no more of one request. */
const MOST = 100;

/** By the connection whose transaction has yet to commit. */
const uncommitted = new WeakMap<QueryRunner, string[]>();

/** A receipt is for the request's log line, and only of what committed. */
export function noteReceipts(tx: EntityManager, commitments: readonly Buffer[]): void {
  const receipts = currentContext()?.receipts;
  if (receipts === undefined) return;
  const texts = commitments.map(receiptOf);
  const runner = tx.queryRunner;
  if (runner?.isTransactionActive !== true) addTo(receipts, texts);
  else uncommitted.set(runner, [...(uncommitted.get(runner) ?? []), ...texts]);
}

/** Short enough not to be taken for a key by what scrubs the log. */
export function receiptOf(commitment: Buffer): string {
  return commitment.subarray(1, 17).toString('hex');
}

function addTo(receipts: string[], texts: readonly string[]): void {
  receipts.push(...texts.slice(0, MOST - receipts.length));
}

@Injectable()
export class ReceiptsAtCommit implements EntitySubscriberInterface {
  constructor(db: DataSource) {
    db.subscribers.push(this);
  }

  afterTransactionCommit({ queryRunner }: { queryRunner: QueryRunner }): void {
    if (queryRunner.isTransactionActive) return;
    const receipts = currentContext()?.receipts;
    const texts = uncommitted.get(queryRunner) ?? [];
    uncommitted.delete(queryRunner);
    if (receipts !== undefined) addTo(receipts, texts);
  }

  afterTransactionRollback({ queryRunner }: { queryRunner: QueryRunner }): void {
    if (!queryRunner.isTransactionActive) uncommitted.delete(queryRunner);
  }
}
