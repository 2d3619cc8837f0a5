import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { IdempotencyRecord } from './idempotency.entity.js';
import { asId, type ClientId, type Id, type OfficerId } from './ids.js';
import { IdempotencyKeyReused } from './platform.errors.js';
import { currentContext } from './request-context.js';

/** One use of an `Idempotency-Key` header; `fingerprint` is the SHA-256 of the route and the body. */
export interface IdempotentRequest {
  readonly holderId: ClientId | OfficerId;
  readonly key: string;
  readonly fingerprint: Buffer;
}

/** What a create answers and what is remembered of it: an id, and so never personal data. */
export interface Created<Kind extends string> {
  readonly id: Id<Kind>;
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
  async find<Kind extends string>(
    request: IdempotentRequest | undefined,
  ): Promise<Created<Kind> | undefined> {
    return request === undefined ? undefined : this.recall<Kind>(this.db.manager, request);
  }

  /** Runs `work` in a transaction, once for each key. */
  transaction<Kind extends string>(
    request: IdempotentRequest | undefined,
    work: (tx: EntityManager) => Promise<Created<Kind>>,
  ): Promise<Created<Kind>> {
    return this.db.transaction(async (tx) => {
      if (request === undefined) return work(tx);
      await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [
        `${request.holderId} ${request.key}`,
      ]);
      const known = await this.recall<Kind>(tx, request);
      if (known !== undefined) return known;
      const result = await work(tx);
      await tx.insert(IdempotencyRecord, { ...request, resultId: result.id });
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

  private async recall<Kind extends string>(
    tx: EntityManager,
    request: IdempotentRequest,
  ): Promise<Created<Kind> | undefined> {
    const record = await tx.findOneBy(IdempotencyRecord, { holderId: request.holderId, key: request.key });
    if (record === null) return undefined;
    if (!record.fingerprint.equals(request.fingerprint)) throw new IdempotencyKeyReused();
    const context = currentContext();
    if (context !== undefined) context.replayed = true;
    return { id: asId<Kind>(record.resultId) };
  }
}
