import { AuditLog } from '#audit/audit-log';
import type { OfficerId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { SessionLedger } from './internal/session-ledger.js';
import { OfficerNotFound } from './officers.errors.js';

/** For good: whoever returns is another account, so that the log tells who could do what when. */
export class DisableOfficer extends Command<void> {
  constructor(readonly officerId: OfficerId) {
    super();
  }
}

@CommandHandler(DisableOfficer)
export class DisableOfficerHandler implements ICommandHandler<DisableOfficer> {
  constructor(
    private readonly db: DataSource,
    private readonly sessions: SessionLedger,
    private readonly audit: AuditLog,
  ) {}

  async execute({ officerId }: DisableOfficer): Promise<void> {
    await this.db.transaction(async (tx) => {
      const [, disabled] = await tx.query<[unknown[], number]>(
        'UPDATE officer SET disabled_at = now(), enrolment_hash = NULL WHERE id = $1 AND disabled_at IS NULL',
        [officerId],
      );
      if (disabled === 0) throw new OfficerNotFound();
      const details = { officerId, sessions: await this.sessions.endAll(tx, officerId) };
      await this.audit.append(tx, { type: 'officer.disabled', outcome: 'ok', details });
    });
  }
}
