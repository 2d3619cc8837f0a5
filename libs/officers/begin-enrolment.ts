import { AuditLog } from '#audit/audit-log';
import { SecretHashes } from '#auth/secret-hashes';
import type { OfficerId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { OfficerStore } from './internal/officer-store.js';
import { isGuessable, normalisePassword } from './internal/password-rules.js';
import {
  digest,
  newRecoveryCodes,
  newTotpSecret,
  recoveryCodeHash,
  totpUri,
} from './internal/second-factor.js';
import { EnrolmentRefused, PasswordRefused } from './officers.errors.js';

export interface Enrolment {
  readonly officerId: OfficerId;
  readonly totpSecret: string;
  readonly totpUri: string;
  /** Shown this once: only their hashes are kept. */
  readonly recoveryCodes: readonly string[];
}

/** Sets the password. Until the app's first code confirms it, it can be begun anew: an answer may get lost. */
export class BeginEnrolment extends Command<Enrolment> {
  constructor(
    readonly code: string,
    readonly password: string,
  ) {
    super();
  }
}

@CommandHandler(BeginEnrolment)
export class BeginEnrolmentHandler implements ICommandHandler<BeginEnrolment> {
  constructor(
    private readonly db: DataSource,
    private readonly officers: OfficerStore,
    private readonly secrets: SecretHashes,
    private readonly audit: AuditLog,
  ) {}

  execute({ code, password }: BeginEnrolment): Promise<Enrolment> {
    return this.audit.recordingRefusals({ type: 'officer.enrolment_refused' }, () =>
      this.db.transaction(async (tx) => {
        const officer = await this.officers.findEnrolling(tx, digest(code));
        if (officer === undefined) throw new EnrolmentRefused();
        const { id } = officer;
        const email = this.officers.open(officer, 'email') ?? '';
        if (isGuessable(password, email)) throw new PasswordRefused();
        const passwordHash = await this.secrets.hash(normalisePassword(password));
        const totpSecret = newTotpSecret();
        const recoveryCodes = newRecoveryCodes();
        await tx.query('UPDATE officer SET password_hash = $2, totp_secret = $3 WHERE id = $1', [
          id,
          passwordHash,
          this.officers.seal(id, 'totp_secret', totpSecret),
        ]);
        await tx.query('DELETE FROM officer_recovery_code WHERE officer_id = $1', [id]);
        await tx.query(
          'INSERT INTO officer_recovery_code (officer_id, hash) SELECT $1, unnest($2::bytea[])',
          [id, recoveryCodes.map(recoveryCodeHash)],
        );
        const details = { officerId: id };
        await this.audit.append(tx, { type: 'officer.enrolment_begun', outcome: 'ok', details });
        return { officerId: id, totpSecret, totpUri: totpUri(totpSecret, email), recoveryCodes };
      }),
    );
  }
}
