import { KeyCustodian, type Place } from '#custody/key-custodian';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

const MOST_AT_ONCE = 10_000;

/** Tells the custodian whose rows are gone; answers how many. PostgreSQL keeps their places until it has answered. */
export class RetireSlots extends Command<number> {}

@CommandHandler(RetireSlots)
export class RetireSlotsHandler implements ICommandHandler<RetireSlots> {
  constructor(
    private readonly db: DataSource,
    private readonly custodian: KeyCustodian,
  ) {}

  async execute(): Promise<number> {
    return this.db.transaction(async (tx) => {
      // DELETE … RETURNING answers [rows, count] in TypeORM.
      const [gone] = await tx.query<[Place[], number]>(
        `DELETE FROM slot_retirement WHERE id IN (
           SELECT id FROM slot_retirement WHERE not_before <= now() ORDER BY id LIMIT $1)
         RETURNING segment_id AS "segmentId", slot`,
        [MOST_AT_ONCE],
      );
      if (gone.length > 0) await this.custodian.retire(gone);
      return gone.length;
    });
  }
}
