import { AuditLog } from '#audit/audit-log';
import { SecretHashes } from '#auth/secret-hashes';
import type { OfficerId } from '#platform/ids';
import { SECURITY_LOG } from '#platform/logging';
import { Logger } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource, type EntityManager } from 'typeorm';
import { type LoginAttempt, LoginThrottle } from './internal/login-throttle.js';
import { type OfficerRow, OfficerStore, scopesOf } from './internal/officer-store.js';
import { normalisePassword } from './internal/password-rules.js';
import { newTotpSecret, recoveryCodeHash, totpStep } from './internal/second-factor.js';
import { SessionLedger } from './internal/session-ledger.js';
import type { OfficerSession } from './officer-session.js';
import { LoginRefused } from './officers.errors.js';

export type SecondFactor = { readonly totp: string } | { readonly recoveryCode: string };

/** Before every step that was ever used. */
const NO_STEP = -1;

/** Of an address that is no officer's: nobody's. */
type WhoseAccount = Readonly<Record<string, string>>;

/** Throws LoginRefused, the same whatever was wrong and after as much work. */
export class StartSession extends Command<OfficerSession> {
  constructor(
    readonly email: string,
    readonly password: string,
    readonly factor: SecondFactor,
  ) {
    super();
  }
}

@CommandHandler(StartSession)
export class StartSessionHandler implements ICommandHandler<StartSession> {
  private readonly security = new Logger(SECURITY_LOG);
  private readonly decoySecret = newTotpSecret();

  constructor(
    private readonly db: DataSource,
    private readonly officers: OfficerStore,
    private readonly hashes: SecretHashes,
    private readonly throttle: LoginThrottle,
    private readonly sessions: SessionLedger,
    private readonly audit: AuditLog,
  ) {}

  async execute({ email, password, factor }: StartSession): Promise<OfficerSession> {
    const index = this.officers.emailIndex(email);
    const attempt = await this.throttle.begin(index);
    const officer = await this.officers.findActive(index);
    const details: WhoseAccount = officer === undefined ? {} : { officerId: officer.id };
    try {
      return await this.audit.recordingRefusals({ type: 'officer.login_refused', details }, async () => {
        const known = await this.hashes.verify(
          officer?.password_hash ?? undefined,
          normalisePassword(password),
        );
        const spent = 'totp' in factor ? this.stepOf(officer, factor.totp) : factor.recoveryCode;
        const admitted = attempt.locked || !known ? undefined : officer;
        return this.db.transaction((tx) => this.letIn(tx, admitted, attempt, spent));
      });
    } catch (error) {
      if (error instanceof LoginRefused && attempt.locks) await this.recordLock(details);
      throw error;
    }
  }

  /** `factor`: a time step, or a recovery code. Nobody's is looked up, too: the time would else tell that a password is right. */
  private async letIn(
    tx: EntityManager,
    officer: OfficerRow | undefined,
    attempt: LoginAttempt,
    factor: number | string,
  ): Promise<OfficerSession> {
    const spent = await spend(tx, officer?.id, factor);
    if (officer === undefined || !spent) throw new LoginRefused();
    await this.throttle.succeeded(tx, attempt);
    const session = await this.sessions.start(tx, officer.id, scopesOf(officer));
    const details = { officerId: officer.id, factor: typeof factor === 'number' ? 'totp' : 'recovery_code' };
    await this.audit.append(tx, { type: 'officer.session_started', outcome: 'ok', details });
    return session;
  }

  private stepOf(officer: OfficerRow | undefined, code: string): number {
    const secret = officer && this.officers.open(officer, 'totp_secret');
    return totpStep(secret ?? this.decoySecret, code) ?? NO_STEP;
  }

  private async recordLock(details: WhoseAccount): Promise<void> {
    this.security.warn({ message: 'locked', code: 'officer_locked' });
    await this.audit.append(this.db.manager, { type: 'officer.locked', outcome: 'ok', details });
  }
}

/** A code counts once: RFC 6238 section 5.2. Answers whether it did, for somebody who is still an officer. */
async function spend(
  tx: EntityManager,
  id: OfficerId | undefined,
  factor: number | string,
): Promise<boolean> {
  const [, spent] = await (typeof factor === 'number'
    ? tx.query<[unknown[], number]>(
        `UPDATE officer SET totp_step = $2
         WHERE id = $1 AND coalesce(totp_step, 0) < $2 AND enrolled_at IS NOT NULL AND disabled_at IS NULL`,
        [id ?? null, factor],
      )
    : tx.query<[unknown[], number]>(
        `DELETE FROM officer_recovery_code c USING officer o
         WHERE c.officer_id = $1 AND c.hash = $2 AND o.id = $1 AND o.enrolled_at IS NOT NULL AND o.disabled_at IS NULL`,
        [id ?? null, recoveryCodeHash(factor)],
      ));
  return spent === 1;
}
