import { AuditLog } from '#audit/audit-log';
import { violates } from '#platform/constraint-violation';
import { type Created, Idempotency, type IdempotentRequest } from '#platform/idempotency';
import { type ClientId, newId, type NoticeId, type SubjectId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { type EntityManager, IsNull } from 'typeorm';
import type { Evidence } from './consent-evidence.js';
import { ConsentGate } from './consent-gate.js';
import { ConsentAlreadyActive } from './consent.errors.js';
import { ConsentLedger } from './internal/consent-ledger.js';
import { standing } from './internal/consent-standing.js';
import { mayFollow } from './internal/consent-state.js';
import { ConsentTerms } from './internal/consent-terms.js';
import { Consent } from './internal/consent.entity.js';
import { Renewals } from './internal/renewals.js';

/** What a subject agreed to: a purpose, as a notice put it, until a time or until withdrawn. */
export interface Agreement {
  readonly subjectId: SubjectId;
  readonly purpose: string;
  readonly noticeId: NoticeId;
  readonly expiresAt?: Date;
  readonly evidence?: Evidence;
}

export class GrantConsent extends Command<Created<'consent'>> {
  constructor(
    readonly clientId: ClientId,
    readonly agreement: Agreement,
    readonly idempotency?: IdempotentRequest,
  ) {
    super();
  }
}

@CommandHandler(GrantConsent)
export class GrantConsentHandler implements ICommandHandler<GrantConsent> {
  constructor(
    private readonly idempotency: Idempotency,
    private readonly gate: ConsentGate,
    private readonly ledger: ConsentLedger,
    private readonly terms: ConsentTerms,
    private readonly renewals: Renewals,
    private readonly audit: AuditLog,
  ) {}

  execute({ clientId, agreement, idempotency }: GrantConsent): Promise<Created<'consent'>> {
    const { subjectId, purpose } = agreement;
    const event = { type: 'consent.granted', clientId, subjectId, details: { purpose } } as const;
    return this.audit.recordingRefusals(event, async () => {
      try {
        return await this.idempotency.transaction(idempotency, (tx) => this.grant(tx, clientId, agreement));
      } catch (error) {
        throw violates(error, 'consent_one_open') ? new ConsentAlreadyActive() : error;
      }
    });
  }

  private async grant(
    tx: EntityManager,
    clientId: ClientId,
    agreement: Agreement,
  ): Promise<Created<'consent'>> {
    const { subjectId, purpose, noticeId, evidence } = agreement;
    const now = new Date();
    await this.renewals.holdOff(tx, clientId, purpose);
    await this.gate.requireSubject(tx, clientId, subjectId);
    const terms = await this.terms.settle(tx, { clientId, ...agreement }, now);
    await this.endExpired(tx, subjectId, purpose, now);
    const version = await this.ledger.nextVersion(tx, clientId, purpose);
    const consent = tx.create(Consent, {
      id: newId<'consent'>(),
      clientId,
      subjectId,
      purpose,
      noticeId,
      grantedAt: terms.at,
      expiresAt: terms.expiresAt,
      version,
    });
    await tx.insert(Consent, consent);
    await this.ledger.recordFact(tx, consent, 'granted', { ...terms, evidence });
    return { id: consent.id };
  }

  /** A consent whose time is up stands in the way of a new one until its end is recorded. */
  private async endExpired(
    tx: EntityManager,
    subjectId: SubjectId,
    purpose: string,
    now: Date,
  ): Promise<void> {
    const held = await tx.find(Consent, {
      where: { subjectId, purpose, endedAt: IsNull() },
      lock: { mode: 'pessimistic_write' },
    });
    const [open] = await standing(tx, held);
    if (open !== undefined && mayFollow('expired', open, now))
      await this.ledger.end(tx, open, 'expired', now);
  }
}
