import { AuditLog } from '#audit/audit-log';
import { SecretHashes } from '#auth/secret-hashes';
import type { OfficerId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { ENROLMENT_HOURS, type Invitation } from './create-officer.js';
import { LoginThrottle } from './internal/login-throttle.js';
import { type OfficerRow, OfficerStore } from './internal/officer-store.js';
import { digest } from './internal/second-factor.js';
import { SessionLedger } from './internal/session-ledger.js';
import { OfficerNotFound } from './officers.errors.js';

/** For who has lost password or telephone: nothing of before counts any more, and a new code enrols once more. */
export class ResetOfficer extends Command<Invitation> {
  constructor(readonly officerId: OfficerId) {
    super();
  }
}

@CommandHandler(ResetOfficer)
export class ResetOfficerHandler implements ICommandHandler<ResetOfficer> {
  constructor(
    private readonly db: DataSource,
    private readonly officers: OfficerStore,
    private readonly secrets: SecretHashes,
    private readonly sessions: SessionLedger,
    private readonly throttle: LoginThrottle,
    private readonly audit: AuditLog,
  ) {}

  async execute({ officerId }: ResetOfficer): Promise<Invitation> {
    const enrolmentCode = this.secrets.create();
    await this.db.transaction(async (tx) => {
      const [officer] = await tx.query<OfficerRow[]>(
        'SELECT * FROM officer WHERE id = $1 AND disabled_at IS NULL FOR NO KEY UPDATE',
        [officerId],
      );
      if (officer === undefined) throw new OfficerNotFound();
      const email = this.officers.open(officer, 'email') ?? '';
      await tx.query(
        `UPDATE officer SET password_hash = NULL, totp_secret = NULL, totp_step = NULL, enrolled_at = NULL,
           enrolment_hash = $2, enrolment_expires_at = now() + make_interval(hours => $3),
           email_index = $4
         WHERE id = $1`,
        // Made anew: a rotation of secret_key has made the old index useless.
        [officerId, digest(enrolmentCode), ENROLMENT_HOURS, this.officers.emailIndex(email)],
      );
      await tx.query('DELETE FROM officer_recovery_code WHERE officer_id = $1', [officerId]);
      await this.throttle.pardon(tx, this.officers.emailIndex(email));
      const sessions = await this.sessions.endAll(tx, officerId);
      const details = { officerId, sessions };
      await this.audit.append(tx, { type: 'officer.reset', outcome: 'ok', details });
    });
    return { officerId, enrolmentCode };
  }
}
