import type { DeliveryId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

export interface DueDelivery {
  readonly id: DeliveryId;
  /** Made so far. */
  readonly attempts: number;
}

/** Of one webhook, so that a receiver that is slow holds up its own deliveries alone. */
const AT_ONCE_OF_A_WEBHOOK = 3;

const AT_ONCE = 100;

/** A delivery handed over this long ago and still due was lost with Redis, or its worker died: again. */
const STALE_SECONDS = 30;

const TAKING = 0x56776562;

/** Notes that deliveries which are due go to the queue now, and answers which. One worker at a time does so. */
export class TakeDueDeliveries extends Command<readonly DueDelivery[]> {}

@CommandHandler(TakeDueDeliveries)
export class TakeDueDeliveriesHandler implements ICommandHandler<TakeDueDeliveries> {
  constructor(private readonly db: DataSource) {}

  execute(): Promise<readonly DueDelivery[]> {
    return this.db.transaction(async (tx) => {
      const [lock] = await tx.query<{ held: boolean }[]>('SELECT pg_try_advisory_xact_lock($1) AS held', [
        TAKING,
      ]);
      if (lock?.held !== true) return [];
      // What is on its way already comes first in its webhook's line, and so counts among those at once.
      const [taken] = await tx.query<[DueDelivery[], number]>(
        `UPDATE webhook_delivery SET handed_at = now() WHERE state = 'waiting' AND id IN (
           SELECT id FROM (
             SELECT id, due_at, on_its_way,
                    row_number() OVER (PARTITION BY webhook_id ORDER BY on_its_way DESC, due_at, id) AS place
             FROM (
               SELECT id, webhook_id, due_at,
                      coalesce(greatest(handed_at + make_interval(secs => $1), leased_until) > now(), false) AS on_its_way
               FROM webhook_delivery WHERE state = 'waiting' AND due_at <= now()) AS due) AS line
           WHERE NOT on_its_way AND place <= $2
           ORDER BY due_at, id LIMIT $3)
         RETURNING id, attempts`,
        [STALE_SECONDS, AT_ONCE_OF_A_WEBHOOK, AT_ONCE],
      );
      return taken;
    });
  }
}
