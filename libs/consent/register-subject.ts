import { AuditLog } from '#audit/audit-log';
import { type Created, Idempotency, type IdempotentRequest } from '#platform/idempotency';
import { Policies } from '#policy/policies';
import { type ClientId, newId } from '#platform/ids';
import { violates } from '#platform/constraint-violation';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { SubjectReferenceTaken } from './consent.errors.js';
import { SubjectReferences } from './internal/subject-references.js';
import { Subject } from './internal/subject.entity.js';

/** Keeps nothing after a withdrawal, which is what a client that names none may take for granted. */
const DEFAULT_JURISDICTION = 'EU-GDPR';

export interface NewSubject {
  readonly reference?: string;
  readonly jurisdiction?: string;
  /** The day on which a minor comes of age, such as 2031-05-04. */
  readonly adultFrom?: string;
}

export class RegisterSubject extends Command<Created<'subject'>> {
  constructor(
    readonly clientId: ClientId,
    readonly subject: NewSubject,
    readonly idempotency?: IdempotentRequest,
  ) {
    super();
  }
}

@CommandHandler(RegisterSubject)
export class RegisterSubjectHandler implements ICommandHandler<RegisterSubject> {
  constructor(
    private readonly idempotency: Idempotency,
    private readonly references: SubjectReferences,
    private readonly policies: Policies,
    private readonly audit: AuditLog,
  ) {}

  async execute({ clientId, subject, idempotency }: RegisterSubject): Promise<Created<'subject'>> {
    const { reference, jurisdiction = DEFAULT_JURISDICTION, adultFrom } = subject;
    try {
      return await this.idempotency.transaction(idempotency, async (tx) => {
        await this.policies.current(tx, jurisdiction);
        const id = newId<'subject'>();
        await tx.insert(Subject, {
          id,
          clientId,
          jurisdiction,
          adultFrom: adultFrom ?? null,
          reference: reference ?? null,
          referenceIndex: reference === undefined ? null : this.references.index(clientId, reference),
        });
        await this.audit.append(tx, { type: 'subject.registered', outcome: 'ok', clientId, subjectId: id });
        return { id };
      });
    } catch (error) {
      throw violates(error, 'subject_reference') ? new SubjectReferenceTaken() : error;
    }
  }
}
