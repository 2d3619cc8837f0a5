import { AuditLog } from '#audit/audit-log';
import { SecretHashes } from '#auth/secret-hashes';
import { violates } from '#platform/constraint-violation';
import { newId, type OfficerId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { OfficerStore } from './internal/officer-store.js';
import { digest } from './internal/second-factor.js';
import type { OfficerScope } from './officer-scopes.js';
import { OfficerEmailTaken } from './officers.errors.js';

export const ENROLMENT_HOURS = 24;

export interface Invitation {
  readonly officerId: OfficerId;
  /** Shown this once: only its hash is kept. */
  readonly enrolmentCode: string;
}

/** A person who is to be an officer: it becomes one by enrolling with the code. */
export class CreateOfficer extends Command<Invitation> {
  constructor(
    readonly name: string,
    readonly email: string,
    readonly scopes: readonly OfficerScope[],
  ) {
    super();
  }
}

@CommandHandler(CreateOfficer)
export class CreateOfficerHandler implements ICommandHandler<CreateOfficer> {
  constructor(
    private readonly db: DataSource,
    private readonly officers: OfficerStore,
    private readonly secrets: SecretHashes,
    private readonly audit: AuditLog,
  ) {}

  async execute({ name, email, scopes }: CreateOfficer): Promise<Invitation> {
    const officerId = newId<'officer'>();
    const enrolmentCode = this.secrets.create();
    try {
      await this.db.transaction(async (tx) => {
        await tx.query(
          `INSERT INTO officer (id, name, email, email_index, scopes, enrolment_hash, enrolment_expires_at)
           VALUES ($1, $2, $3, $4, $5, $6, now() + make_interval(hours => $7))`,
          [
            officerId,
            this.officers.seal(officerId, 'name', name),
            this.officers.seal(officerId, 'email', email),
            this.officers.emailIndex(email),
            scopes,
            digest(enrolmentCode),
            ENROLMENT_HOURS,
          ],
        );
        const details = { officerId, scopes: scopes.join(' ') };
        await this.audit.append(tx, { type: 'officer.created', outcome: 'ok', details });
      });
    } catch (error) {
      throw violates(error, 'officer_email') ? new OfficerEmailTaken() : error;
    }
    return { officerId, enrolmentCode };
  }
}
