import { AuditLog } from '#audit/audit-log';
import { ConsentGate } from '#consent/consent-gate';
import type { ClientId, SubjectId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { Nominee } from './internal/nominee.entity.js';
import { NomineeNotFound } from './rights.errors.js';

export class RemoveNominee extends Command<void> {
  constructor(
    readonly clientId: ClientId,
    readonly subjectId: SubjectId,
  ) {
    super();
  }
}

@CommandHandler(RemoveNominee)
export class RemoveNomineeHandler implements ICommandHandler<RemoveNominee> {
  constructor(
    private readonly db: DataSource,
    private readonly gate: ConsentGate,
    private readonly audit: AuditLog,
  ) {}

  execute({ clientId, subjectId }: RemoveNominee): Promise<void> {
    return this.db.transaction(async (tx) => {
      await this.gate.holdSubject(tx, clientId, subjectId);
      const { affected } = await tx.delete(Nominee, { subjectId });
      if (affected === 0) throw new NomineeNotFound();
      await this.audit.append(tx, { type: 'nominee.removed', outcome: 'ok', clientId, subjectId });
    });
  }
}
