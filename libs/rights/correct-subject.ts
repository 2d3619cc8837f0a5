import { AuditLog } from '#audit/audit-log';
import { type Corrected, type Correction, SubjectCorrection } from '#consent/subject-correction';
import type { CaseId, ClientId, SubjectId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { CaseLedger } from './internal/case-ledger.js';

/** `caseId`: what is corrected at the person's request, and fulfilled by it. */
export class CorrectSubject extends Command<Corrected> {
  constructor(
    readonly clientId: ClientId,
    readonly subjectId: SubjectId,
    readonly correction: Correction,
    readonly caseId?: CaseId,
  ) {
    super();
  }
}

@CommandHandler(CorrectSubject)
export class CorrectSubjectHandler implements ICommandHandler<CorrectSubject> {
  constructor(
    private readonly db: DataSource,
    private readonly subjects: SubjectCorrection,
    private readonly ledger: CaseLedger,
    private readonly audit: AuditLog,
  ) {}

  execute({ clientId, subjectId, correction, caseId }: CorrectSubject): Promise<Corrected> {
    const event = { type: 'subject.corrected', clientId, subjectId } as const;
    return this.audit.recordingRefusals(event, () =>
      this.db.transaction(async (tx) => {
        const corrected = await this.subjects.correct(tx, clientId, subjectId, correction);
        if (caseId !== undefined)
          await this.ledger.fulfilBy(tx, caseId, 'correction', { clientId, subjectId });
        return corrected;
      }),
    );
  }
}
