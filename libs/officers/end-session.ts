import { AuditLog } from '#audit/audit-log';
import type { OfficerId, SessionId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { SessionLedger } from './internal/session-ledger.js';

/** The officer logs out: neither its access tokens nor its session token count any more. */
export class EndSession extends Command<void> {
  constructor(
    readonly officerId: OfficerId,
    readonly sessionId: SessionId,
  ) {
    super();
  }
}

@CommandHandler(EndSession)
export class EndSessionHandler implements ICommandHandler<EndSession> {
  constructor(
    private readonly db: DataSource,
    private readonly sessions: SessionLedger,
    private readonly audit: AuditLog,
  ) {}

  async execute({ officerId, sessionId }: EndSession): Promise<void> {
    await this.db.transaction(async (tx) => {
      if (!(await this.sessions.end(tx, sessionId))) return;
      const details = { officerId, sessionId, reason: 'logged_out' };
      await this.audit.append(tx, { type: 'officer.session_ended', outcome: 'ok', details });
    });
  }
}
