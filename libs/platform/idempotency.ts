import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { IdempotencyRecord } from './idempotency.entity.js';
import type { ClientId } from './ids.js';
import { IdempotencyKeyReused } from './platform.errors.js';

/** One use of an `Idempotency-Key` header; `fingerprint` is the SHA-256 of the route and the body. */
export interface IdempotentRequest {
  readonly clientId: ClientId;
  readonly key: string;
  readonly fingerprint: Buffer;
}

export const KEPT_HOURS = 24;

/**
 * A create that a client may send twice and that happens once. The result is remembered in the transaction that
 * makes it, so a crash leaves either both or neither; a second request waits for the first on an advisory lock.
 */
@Injectable()
export class Idempotency {
  constructor(private readonly db: DataSource) {}

  /** The remembered result, so that a handler can skip costly work before its transaction. */
  async find<R>(request: IdempotentRequest | undefined): Promise<R | undefined> {
    return request === undefined ? undefined : this.recall<R>(this.db.manager, request);
  }

  /** Runs `work` in a transaction, once for each key. Results MUST hold ids only: they are kept for a day. */
  transaction<R extends Record<string, string>>(
    request: IdempotentRequest | undefined,
    work: (tx: EntityManager) => Promise<R>,
  ): Promise<R> {
    return this.db.transaction(async (tx) => {
      if (request === undefined) return work(tx);
      await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [
        `${request.clientId} ${request.key}`,
      ]);
      const known = await this.recall<R>(tx, request);
      if (known !== undefined) return known;
      const result = await work(tx);
      await tx.insert(IdempotencyRecord, { ...request, result });
      return result;
    });
  }

  /** Forgets keys older than KEPT_HOURS; returns how many. */
  async forgetOld(): Promise<number> {
    const old = await this.db
      .createQueryBuilder()
      .delete()
      .from(IdempotencyRecord)
      .where(`created_at < now() - make_interval(hours => :hours)`, { hours: KEPT_HOURS })
      .execute();
    return old.affected ?? 0;
  }

  private async recall<R>(tx: EntityManager, request: IdempotentRequest): Promise<R | undefined> {
    const record = await tx.findOneBy(IdempotencyRecord, { clientId: request.clientId, key: request.key });
    if (record === null) return undefined;
    if (!record.fingerprint.equals(request.fingerprint)) throw new IdempotencyKeyReused();
    return record.result as R;
  }
}
