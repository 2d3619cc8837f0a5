import { AuditLog } from '#audit/audit-log';
import { type Created, Idempotency, type IdempotentRequest } from '#platform/idempotency';
import { newId } from '#platform/ids';
import { after } from '#policy/duration';
import { Policies } from '#policy/policies';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';

/** `impact`: GDPR Art. 35, DPDP Rules rule 13; `audit`: DPDP Act section 10(2)(c). */
export const ASSESSMENT_KINDS = ['impact', 'audit'] as const;
export type AssessmentKind = (typeof ASSESSMENT_KINDS)[number];

export interface Assessment {
  readonly kind: AssessmentKind;
  readonly jurisdiction: string;
  readonly assessedAt: Date;
}

/** That people assessed the processing; the next one is due as the policy in force has it. Throws JurisdictionUnknown. */
export class RecordAssessment extends Command<Created<'assessment'>> {
  constructor(
    readonly assessment: Assessment,
    readonly idempotency?: IdempotentRequest,
  ) {
    super();
  }
}

@CommandHandler(RecordAssessment)
export class RecordAssessmentHandler implements ICommandHandler<RecordAssessment> {
  constructor(
    private readonly idempotency: Idempotency,
    private readonly policies: Policies,
    private readonly audit: AuditLog,
  ) {}

  execute({ assessment, idempotency }: RecordAssessment): Promise<Created<'assessment'>> {
    const { kind, jurisdiction, assessedAt } = assessment;
    return this.audit.recordingRefusals({ type: 'record.assessed', details: { kind } }, () =>
      this.idempotency.transaction(idempotency, async (tx) => {
        const { document, revision } = await this.policies.current(tx, jurisdiction);
        const { value } = document.assessment[kind];
        const id = newId<'assessment'>();
        await tx.query(
          `INSERT INTO record_assessment (id, kind, jurisdiction, policy_revision, assessed_at, due_at)
           VALUES ($1, $2, $3, $4, $5, $6)`,
          [id, kind, jurisdiction, revision, assessedAt, value === null ? null : after(assessedAt, value)],
        );
        const details = { assessmentId: id, kind, jurisdiction, policyRevision: revision };
        await this.audit.append(tx, { type: 'record.assessed', outcome: 'ok', details });
        return { id };
      }),
    );
  }
}
