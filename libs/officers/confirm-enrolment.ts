import { AuditLog } from '#audit/audit-log';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { OfficerStore } from './internal/officer-store.js';
import { digest, totpStep } from './internal/second-factor.js';
import { EnrolmentRefused, TotpInvalid } from './officers.errors.js';

/** Shows that the authenticator app has the secret; from then on the person is an officer, and the code is used up. */
export class ConfirmEnrolment extends Command<void> {
  constructor(
    readonly code: string,
    readonly totp: string,
  ) {
    super();
  }
}

@CommandHandler(ConfirmEnrolment)
export class ConfirmEnrolmentHandler implements ICommandHandler<ConfirmEnrolment> {
  constructor(
    private readonly db: DataSource,
    private readonly officers: OfficerStore,
    private readonly audit: AuditLog,
  ) {}

  execute({ code, totp }: ConfirmEnrolment): Promise<void> {
    return this.audit.recordingRefusals({ type: 'officer.enrolment_refused' }, () =>
      this.db.transaction(async (tx) => {
        const officer = await this.officers.findEnrolling(tx, digest(code));
        const secret = officer && this.officers.open(officer, 'totp_secret');
        if (officer === undefined || secret === undefined) throw new EnrolmentRefused();
        const step = totpStep(secret, totp);
        if (step === undefined) throw new TotpInvalid();
        await tx.query(
          `UPDATE officer SET enrolled_at = now(), totp_step = $2, enrolment_hash = NULL, enrolment_expires_at = NULL
           WHERE id = $1`,
          [officer.id, step],
        );
        const details = { officerId: officer.id };
        await this.audit.append(tx, { type: 'officer.enrolled', outcome: 'ok', details });
      }),
    );
  }
}
