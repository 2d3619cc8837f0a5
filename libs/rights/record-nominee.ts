import { AuditLog } from '#audit/audit-log';
import { ConsentGate } from '#consent/consent-gate';
import { type ClientId, newId, type SubjectId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { Nominee } from './internal/nominee.entity.js';

export const RELATIONSHIPS = [
  'spouse',
  'child',
  'parent',
  'sibling',
  'relative',
  'friend',
  'lawyer',
  'other',
] as const;
export type Relationship = (typeof RELATIONSHIPS)[number];

export interface NewNominee {
  readonly name: string;
  readonly contact: string;
  readonly relationship: Relationship;
}

/** In the place of whoever was nominated before (DPDP Act section 14; DPDP Rules, rule 14(4)). */
export class RecordNominee extends Command<void> {
  constructor(
    readonly clientId: ClientId,
    readonly subjectId: SubjectId,
    readonly nominee: NewNominee,
  ) {
    super();
  }
}

@CommandHandler(RecordNominee)
export class RecordNomineeHandler implements ICommandHandler<RecordNominee> {
  constructor(
    private readonly db: DataSource,
    private readonly gate: ConsentGate,
    private readonly audit: AuditLog,
  ) {}

  execute({ clientId, subjectId, nominee }: RecordNominee): Promise<void> {
    const { name, contact, relationship } = nominee;
    return this.db.transaction(async (tx) => {
      await this.gate.holdSubject(tx, clientId, subjectId);
      await tx.delete(Nominee, { subjectId });
      const id = newId<'nominee'>();
      await tx.insert(Nominee, { id, subjectId, name, contact, relationship, recordedAt: new Date() });
      const details = { relationship };
      await this.audit.append(tx, { type: 'nominee.recorded', outcome: 'ok', clientId, subjectId, details });
    });
  }
}
