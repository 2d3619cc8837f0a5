import { AuditLog } from '#audit/audit-log';
import { type Created, Idempotency, type IdempotentRequest } from '#platform/idempotency';
import { type ClientId, newId, type NoticeId, type SubjectId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { EntityManager } from 'typeorm';
import type { Evidence } from './consent-evidence.js';
import { ConsentGate } from './consent-gate.js';
import { ConsentLedger } from './internal/consent-ledger.js';
import { ConsentTerms } from './internal/consent-terms.js';
import { Consent } from './internal/consent.entity.js';

export interface Refusal {
  readonly subjectId: SubjectId;
  readonly purpose: string;
  readonly noticeId: NoticeId;
  readonly evidence?: Evidence;
}

/** Keeps that a subject was asked and said no; a consent that is active stays so until it is withdrawn. */
export class RefuseConsent extends Command<Created<'consent'>> {
  constructor(
    readonly clientId: ClientId,
    readonly refusal: Refusal,
    readonly idempotency?: IdempotentRequest,
  ) {
    super();
  }
}

@CommandHandler(RefuseConsent)
export class RefuseConsentHandler implements ICommandHandler<RefuseConsent> {
  constructor(
    private readonly idempotency: Idempotency,
    private readonly gate: ConsentGate,
    private readonly ledger: ConsentLedger,
    private readonly terms: ConsentTerms,
    private readonly audit: AuditLog,
  ) {}

  execute({ clientId, refusal, idempotency }: RefuseConsent): Promise<Created<'consent'>> {
    const { subjectId, purpose } = refusal;
    const event = { type: 'consent.refused', clientId, subjectId, details: { purpose } } as const;
    return this.audit.recordingRefusals(event, () =>
      this.idempotency.transaction(idempotency, (tx) => this.refuse(tx, clientId, refusal)),
    );
  }

  private async refuse(tx: EntityManager, clientId: ClientId, refusal: Refusal): Promise<Created<'consent'>> {
    const { subjectId, purpose, noticeId, evidence } = refusal;
    await this.gate.requireSubject(tx, clientId, subjectId);
    const terms = await this.terms.refusal(tx, { clientId, ...refusal }, new Date());
    const consent = tx.create(Consent, {
      id: newId<'consent'>(),
      clientId,
      subjectId,
      purpose,
      noticeId,
      grantedAt: terms.at,
      expiresAt: null,
      endedAt: terms.at,
      refused: true,
      // Before the first: nothing was valid, so no matcher has anything to follow.
      version: '0',
    });
    await tx.insert(Consent, consent);
    await this.ledger.recordFact(tx, consent, 'refused', { ...terms, evidence });
    return { id: consent.id };
  }
}
