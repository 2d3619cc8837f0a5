import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { type MessageId, newId } from './ids.js';
import { askBriefly, Scrape } from './scrape.js';

/** A message type and what it carries: ids only, no personal data. Each lib declares its own in `*.events.ts`. */
export interface OutboxMessage {
  readonly type: string;
  readonly payload: Readonly<Record<string, string>>;
}

/** Messages that commit with the state they tell of; the worker delivers each at least once until it is done. */
@Injectable()
export class Outbox implements OnModuleInit {
  constructor(
    private readonly db: DataSource,
    private readonly scrape: Scrape,
  ) {}

  onModuleInit(): void {
    this.scrape.source(
      'outbox',
      {
        velum_outbox_messages: {
          help: 'Messages that are not done, before and after they were given to the queue',
          labels: ['state'],
        },
        velum_outbox_oldest_seconds: {
          help: 'Age of the oldest message that is not done; 0 if there is none',
        },
      },
      async () => {
        const { waiting, relayed, oldest } = await askBriefly(this.db, countPending);
        return [
          { name: 'velum_outbox_messages', labels: { state: 'waiting' }, value: waiting },
          { name: 'velum_outbox_messages', labels: { state: 'relayed' }, value: relayed },
          { name: 'velum_outbox_oldest_seconds', value: oldest },
        ];
      },
    );
  }

  async add(tx: EntityManager, message: OutboxMessage): Promise<void> {
    const id = newId<'message'>();
    await tx.query('INSERT INTO outbox (id, type, payload) VALUES ($1, $2, $3)', [
      id,
      message.type,
      message.payload,
    ]);
  }

  /**
   * Takes up to `limit` messages that were never handed to the queue, or were handed over `staleSeconds` ago and
   * are still not done: Redis may have lost them.
   */
  async take(
    tx: EntityManager,
    limit: number,
    staleSeconds: number,
  ): Promise<{ id: MessageId; type: string }[]> {
    // UPDATE … RETURNING answers [rows, count] in TypeORM.
    const [rows] = await tx.query<[{ id: MessageId; type: string }[], number]>(
      `UPDATE outbox SET relayed_at = now() WHERE id IN (
         SELECT id FROM outbox
         WHERE done_at IS NULL AND (relayed_at IS NULL OR relayed_at < now() - make_interval(secs => $2))
         ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
       RETURNING id, type`,
      [limit, staleSeconds],
    );
    return rows;
  }

  /** A message that is not done yet, held until `tx` ends; undefined if there is none. */
  async open(tx: EntityManager, id: MessageId): Promise<OutboxMessage | undefined> {
    const [message] = await tx.query<OutboxMessage[]>(
      'SELECT type, payload FROM outbox WHERE id = $1 AND done_at IS NULL FOR UPDATE',
      [id],
    );
    return message;
  }

  /** Forgets messages done more than a day ago; answers how many. */
  async forgetDone(): Promise<number> {
    const [, forgotten] = await this.db.query<[unknown[], number]>(
      `DELETE FROM outbox WHERE done_at < now() - interval '1 day'`,
    );
    return forgotten;
  }

  async done(tx: EntityManager, id: MessageId): Promise<void> {
    await tx.query('UPDATE outbox SET done_at = now() WHERE id = $1', [id]);
  }
}

interface Pending {
  readonly waiting: number;
  readonly relayed: number;
  readonly oldest: number;
}

async function countPending(tx: EntityManager): Promise<Pending> {
  const [pending] = await tx.query<Pending[]>(
    `SELECT count(*) FILTER (WHERE relayed_at IS NULL)::int AS waiting,
            count(*) FILTER (WHERE relayed_at IS NOT NULL)::int AS relayed,
            greatest(0, coalesce(extract(epoch FROM now() - min(created_at)), 0))::float8 AS oldest
     FROM outbox WHERE done_at IS NULL`,
  );
  if (pending === undefined) throw new Error('an aggregate without a row');
  return pending;
}
