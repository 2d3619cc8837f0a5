import { violates } from '#platform/constraint-violation';
import { type Created, Idempotency, type IdempotentRequest } from '#platform/idempotency';
import { type ClientId, newId, type NoticeId, type SubjectId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { type EntityManager, IsNull } from 'typeorm';
import { ConsentGate } from './consent-gate.js';
import {
  ConsentAlreadyActive,
  ConsentExpiryInPast,
  NoticeForAnotherPurpose,
  NoticeNotFound,
} from './consent.errors.js';
import { ConsentLedger } from './internal/consent-ledger.js';
import { dueFact } from './internal/consent-state.js';
import { Consent } from './internal/consent.entity.js';
import { Notice } from './internal/notice.entity.js';

/** What a subject agreed to: a purpose, as a notice put it, until a time or until withdrawn. */
export interface Agreement {
  readonly subjectId: SubjectId;
  readonly purpose: string;
  readonly noticeId: NoticeId;
  readonly expiresAt?: Date;
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
  ) {}

  async execute({ clientId, agreement, idempotency }: GrantConsent): Promise<Created<'consent'>> {
    const { subjectId, purpose, noticeId, expiresAt } = agreement;
    const now = new Date();
    if (expiresAt !== undefined && expiresAt <= now) throw new ConsentExpiryInPast();
    try {
      return await this.idempotency.transaction(idempotency, async (tx) => {
        await this.gate.requireSubject(tx, clientId, subjectId);
        await this.requireNotice(tx, clientId, noticeId, purpose);
        await this.endExpired(tx, subjectId, purpose, now);
        const version = await this.ledger.nextVersion(tx, clientId, purpose);
        const consent = tx.create(Consent, {
          id: newId<'consent'>(),
          clientId,
          subjectId,
          purpose,
          noticeId,
          expiresAt: expiresAt ?? null,
          version,
        });
        await tx.insert(Consent, consent);
        await this.ledger.recordFact(tx, consent, 'granted');
        return { id: consent.id };
      });
    } catch (error) {
      throw violates(error, 'consent_one_open') ? new ConsentAlreadyActive() : error;
    }
  }

  private async requireNotice(
    tx: EntityManager,
    clientId: ClientId,
    noticeId: NoticeId,
    purpose: string,
  ): Promise<void> {
    const notice = await tx.findOneBy(Notice, { id: noticeId, clientId });
    if (notice === null) throw new NoticeNotFound();
    if (notice.purpose !== purpose) throw new NoticeForAnotherPurpose();
  }

  /** A consent whose time is up stands in the way of a new one until its end is recorded. */
  private async endExpired(
    tx: EntityManager,
    subjectId: SubjectId,
    purpose: string,
    now: Date,
  ): Promise<void> {
    const open = await tx.findOne(Consent, {
      where: { subjectId, purpose, endedAt: IsNull() },
      lock: { mode: 'pessimistic_write' },
    });
    if (open !== null && dueFact(open, now) === 'expired') await this.ledger.end(tx, open, 'expired', now);
  }
}
