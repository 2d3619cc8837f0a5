import { AuditLog } from '#audit/audit-log';
import { type Created, Idempotency, type IdempotentRequest } from '#platform/idempotency';
import { type ClientId, newId } from '#platform/ids';
import { violates } from '#platform/constraint-violation';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { SubjectReferenceTaken } from './consent.errors.js';
import { SubjectReferences } from './internal/subject-references.js';
import { Subject } from './internal/subject.entity.js';

export class RegisterSubject extends Command<Created<'subject'>> {
  constructor(
    readonly clientId: ClientId,
    readonly reference: string | undefined,
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
    private readonly audit: AuditLog,
  ) {}

  async execute({ clientId, reference, idempotency }: RegisterSubject): Promise<Created<'subject'>> {
    try {
      return await this.idempotency.transaction(idempotency, async (tx) => {
        const id = newId<'subject'>();
        await tx.insert(Subject, {
          id,
          clientId,
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
