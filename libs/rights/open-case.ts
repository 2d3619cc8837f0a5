import { AuditLog } from '#audit/audit-log';
import { ConsentGate } from '#consent/consent-gate';
import { ProcessingLimits } from '#consent/processing-limits';
import { type Created, Idempotency, type IdempotentRequest } from '#platform/idempotency';
import { type ClientId, newId, type SubjectId } from '#platform/ids';
import { InvalidRequest } from '#platform/platform.errors';
import { after } from '#policy/duration';
import { Policies } from '#policy/policies';
import type { Right } from '#policy/right-rules';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { EntityManager } from 'typeorm';
import { restricts } from './case-state.js';
import { CaseLedger } from './internal/case-ledger.js';
import { RightsCase } from './internal/rights-case.entity.js';
import { RightNotProvided } from './rights.errors.js';

export const CASE_CHANNELS = ['app', 'web', 'email', 'letter', 'phone', 'in_person'] as const;
export type CaseChannel = (typeof CASE_CHANNELS)[number];

export interface NewCase {
  readonly subjectId: SubjectId;
  readonly kind: Right;
  readonly channel: CaseChannel;
  /** When the person asked, from which the time runs: now, if left out. */
  readonly receivedAt?: Date;
  /** Which processing it is about; all, if left out. It decides which consents an objection ends. */
  readonly purpose?: string;
  readonly text?: string;
}

/** A data principal asks for something, through the client app. A restriction or an objection restricts at once. */
export class OpenCase extends Command<Created<'case'>> {
  constructor(
    readonly clientId: ClientId,
    readonly request: NewCase,
    readonly idempotency?: IdempotentRequest,
  ) {
    super();
  }
}

@CommandHandler(OpenCase)
export class OpenCaseHandler implements ICommandHandler<OpenCase> {
  constructor(
    private readonly idempotency: Idempotency,
    private readonly gate: ConsentGate,
    private readonly limits: ProcessingLimits,
    private readonly policies: Policies,
    private readonly ledger: CaseLedger,
    private readonly audit: AuditLog,
  ) {}

  execute({ clientId, request, idempotency }: OpenCase): Promise<Created<'case'>> {
    const { subjectId, kind } = request;
    const event = { type: 'case.opened', clientId, subjectId, details: { kind } } as const;
    return this.audit.recordingRefusals(event, () =>
      this.idempotency.transaction(idempotency, (tx) => this.open(tx, clientId, request)),
    );
  }

  private async open(tx: EntityManager, clientId: ClientId, request: NewCase): Promise<Created<'case'>> {
    const { subjectId, kind, channel, receivedAt, purpose, text } = request;
    const now = new Date();
    if (receivedAt !== undefined && receivedAt > now) {
      throw new InvalidRequest([{ field: 'receivedAt', message: 'must not be in the future' }]);
    }
    await this.gate.holdSubject(tx, clientId, subjectId);
    const [subject] = await tx.query<{ jurisdiction: string }[]>(
      'SELECT jurisdiction FROM subject WHERE id = $1',
      [subjectId],
    );
    const policy = await this.policies.current(tx, subject?.jurisdiction ?? '');
    const rule = policy.document.rights[kind];
    if (rule === undefined) {
      throw new RightNotProvided([{ field: `rights.${kind}`, message: 'is not in the policy' }]);
    }
    const openedAt = receivedAt ?? now;
    const opened = tx.create(RightsCase, {
      id: newId<'case'>(),
      clientId,
      subjectId,
      kind,
      channel,
      purpose: purpose ?? null,
      jurisdiction: policy.jurisdiction,
      policyRevision: policy.revision,
      state: 'open',
      openedAt,
      dueAt: after(openedAt, rule.value.due),
      request: text ?? null,
      answer: null,
    });
    await tx.insert(RightsCase, opened);
    await this.ledger.record(tx, opened, {});
    const details = { caseId: opened.id, kind, policyRevision: policy.revision };
    await this.audit.append(tx, { type: 'case.opened', outcome: 'ok', clientId, subjectId, details });
    if (restricts(kind, 'open')) await this.limits.restrict(tx, clientId, subjectId);
    return { id: opened.id };
  }
}
