import type { NoticeId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { Renewals } from './internal/renewals.js';

/**
 * Brings the end of consents forward that a notice wants renewed, each batch in a transaction of its own: cut off, it finds
 * what is left. Any number of workers may do it at once.
 */
export class DemandRenewals extends Command<void> {}

@CommandHandler(DemandRenewals)
export class DemandRenewalsHandler implements ICommandHandler<DemandRenewals> {
  constructor(
    private readonly db: DataSource,
    private readonly renewals: Renewals,
  ) {}

  async execute(): Promise<void> {
    const demands = await this.db.query<{ id: NoticeId }[]>(
      'SELECT notice_id AS id FROM renewal_demand ORDER BY notice_id',
    );
    for (const { id } of demands) {
      let from: string | undefined;
      do {
        const last = from;
        from = await this.db.transaction((tx) => this.renewals.shortenSome(tx, id, last));
      } while (from !== undefined);
      await this.db.query('DELETE FROM renewal_demand WHERE notice_id = $1', [id]);
    }
  }
}
