import { AuditLog } from '#audit/audit-log';
import type { OfficerId, SessionId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource, type EntityManager } from 'typeorm';
import { scopesOf } from './internal/officer-store.js';
import { digest } from './internal/second-factor.js';
import { IDLE_MINUTES, SessionLedger } from './internal/session-ledger.js';
import type { OfficerSession } from './officer-session.js';
import { SessionEnded } from './officers.errors.js';

/**
 * RFC 9700 section 4.14.2: each session token counts once. One that comes a second time was stolen, from or by whoever
 * sends it: the session ends for both.
 */
export class RenewSession extends Command<OfficerSession> {
  constructor(readonly sessionToken: string) {
    super();
  }
}

interface PresentedToken {
  readonly session_id: SessionId;
  readonly officer_id: OfficerId;
  readonly scopes: readonly string[];
  readonly expires_at: Date;
  readonly spent: boolean;
  readonly open: boolean;
}

@CommandHandler(RenewSession)
export class RenewSessionHandler implements ICommandHandler<RenewSession> {
  constructor(
    private readonly db: DataSource,
    private readonly sessions: SessionLedger,
    private readonly audit: AuditLog,
  ) {}

  async execute({ sessionToken }: RenewSession): Promise<OfficerSession> {
    const hash = digest(sessionToken);
    const renewed = await this.db.transaction(async (tx) => {
      const found = await findToken(tx, hash);
      if (found === undefined || !found.open) return undefined;
      const { session_id: id, officer_id: officerId, expires_at: expiresAt } = found;
      if (found.spent) {
        await this.sessions.end(tx, id);
        const details = { officerId, sessionId: id, reason: 'token_reused' };
        await this.audit.append(tx, { type: 'officer.session_ended', outcome: 'ok', details });
        return undefined;
      }
      await tx.query('UPDATE officer_session_token SET spent_at = now() WHERE hash = $1', [hash]);
      await tx.query('UPDATE officer_session SET renewed_at = now() WHERE id = $1', [id]);
      const details = { officerId, sessionId: id };
      await this.audit.append(tx, { type: 'officer.session_renewed', outcome: 'ok', details });
      return this.sessions.issue(tx, { id, officerId, scopes: scopesOf(found), expiresAt });
    });
    if (renewed !== undefined) return renewed;
    await this.audit.append(this.db.manager, {
      type: 'officer.session_renewed',
      outcome: 'refused',
      code: SessionEnded.problem.code,
    });
    throw new SessionEnded();
  }
}

async function findToken(tx: EntityManager, hash: Buffer): Promise<PresentedToken | undefined> {
  const [found] = await tx.query<PresentedToken[]>(
    `SELECT t.session_id, s.officer_id, o.scopes, s.expires_at, t.spent_at IS NOT NULL AS spent,
       s.ended_at IS NULL AND s.expires_at > now() AND s.renewed_at > now() - make_interval(mins => $2)
         AND o.enrolled_at IS NOT NULL AND o.disabled_at IS NULL AS open
     FROM officer_session_token t JOIN officer_session s ON s.id = t.session_id JOIN officer o ON o.id = s.officer_id
     WHERE t.hash = $1 FOR UPDATE OF t, s`,
    [hash, IDLE_MINUTES],
  );
  return found;
}
