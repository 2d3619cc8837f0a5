import { AuditLog } from '#audit/audit-log';
import { ConsentGate } from '#consent/consent-gate';
import { type CaseId, type ClientId, newId, type SubjectId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { CaseLedger } from './internal/case-ledger.js';
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
    /** The request that it fulfils. */
    readonly caseId?: CaseId,
  ) {
    super();
  }
}

@CommandHandler(RecordNominee)
export class RecordNomineeHandler implements ICommandHandler<RecordNominee> {
  constructor(
    private readonly db: DataSource,
    private readonly gate: ConsentGate,
    private readonly ledger: CaseLedger,
    private readonly audit: AuditLog,
  ) {}

  execute({ clientId, subjectId, nominee, caseId }: RecordNominee): Promise<void> {
    const { name, contact, relationship } = nominee;
    const event = { type: 'nominee.recorded', clientId, subjectId, details: { relationship } } as const;
    return this.audit.recordingRefusals(event, () =>
      this.db.transaction(async (tx) => {
        await this.gate.holdSubject(tx, clientId, subjectId);
        await tx.delete(Nominee, { subjectId });
        const id = newId<'nominee'>();
        await tx.insert(Nominee, { id, subjectId, name, contact, relationship, recordedAt: new Date() });
        await this.audit.append(tx, { ...event, outcome: 'ok' });
        if (caseId !== undefined)
          await this.ledger.fulfilBy(tx, caseId, 'nomination', { clientId, subjectId });
      }),
    );
  }
}
