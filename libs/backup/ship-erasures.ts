import type { Config } from '#platform/config';
import { CONFIG } from '#platform/platform.module';
import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { openStore } from './open-store.js';
import { type Erasure, writeShipment } from './erasure-shipment.js';

const MOST_AT_ONCE = 10_000;

/** Stores what was erased where the backups are; answers how many erasures. PostgreSQL keeps them until it is done. */
export class ShipErasures extends Command<number> {}

@CommandHandler(ShipErasures)
export class ShipErasuresHandler implements ICommandHandler<ShipErasures> {
  constructor(
    private readonly db: DataSource,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  async execute(): Promise<number> {
    const { backup, secrets } = this.config;
    if (backup === undefined) return 0;
    return this.db.transaction(async (tx) => {
      // The row is the turn: another worker that ships now has it.
      const [turn] = await tx.query<{ number: string }[]>(
        'SELECT number FROM erasure_shipment WHERE EXISTS (SELECT FROM erasure_journal) FOR UPDATE SKIP LOCKED',
      );
      if (turn === undefined) return 0;
      // DELETE … RETURNING answers [rows, count] in TypeORM.
      const [erasures] = await tx.query<[Erasure[], number]>(
        `DELETE FROM erasure_journal WHERE id IN (SELECT id FROM erasure_journal ORDER BY id LIMIT $1)
         RETURNING type, client_id, subject_id, gallery_id, template_id, consent_id, hold_id, hold_reason, hold_until,
           officer_id, secret_hash,
           to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at`,
        [MOST_AT_ONCE],
      );
      const number = Number(turn.number) + 1;
      const { target, recipients } = backup;
      await writeShipment(openStore(target), number, erasures, recipients, secrets.dbEncryptionKeys);
      await tx.query('UPDATE erasure_shipment SET number = $1', [number]);
      return erasures.length;
    });
  }
}
