import { AuditLog } from '#audit/audit-log';
import type { ClientId, ConsentId, NoticeId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource, type EntityManager } from 'typeorm';
import type { Evidence } from './consent-evidence.js';
import { ConsentGate } from './consent-gate.js';
import { ConsentEnded, ConsentNotFound } from './consent.errors.js';
import { ConsentLedger } from './internal/consent-ledger.js';
import { standing } from './internal/consent-standing.js';
import { mayFollow } from './internal/consent-state.js';
import { ConsentTerms } from './internal/consent-terms.js';
import { Consent } from './internal/consent.entity.js';
import { Renewals } from './internal/renewals.js';

export interface Renewal {
  /** That under which it was given before, if none is named. */
  readonly noticeId?: NoticeId;
  readonly expiresAt?: Date;
  readonly evidence?: Evidence;
}

/** The same consent, given once more: what was made under it stays usable. */
export class RenewConsent extends Command<void> {
  constructor(
    readonly clientId: ClientId,
    readonly consentId: ConsentId,
    readonly renewal: Renewal,
  ) {
    super();
  }
}

@CommandHandler(RenewConsent)
export class RenewConsentHandler implements ICommandHandler<RenewConsent> {
  constructor(
    private readonly db: DataSource,
    private readonly gate: ConsentGate,
    private readonly ledger: ConsentLedger,
    private readonly terms: ConsentTerms,
    private readonly renewals: Renewals,
    private readonly audit: AuditLog,
  ) {}

  async execute({ clientId, consentId, renewal }: RenewConsent): Promise<void> {
    const known = await this.db.manager.findOneBy(Consent, { id: consentId, clientId });
    if (known === null) throw new ConsentNotFound();
    const { subjectId, purpose } = known;
    const details = { consentId, purpose };
    const event = { type: 'consent.renewed', clientId, subjectId, details } as const;
    await this.audit.recordingRefusals(event, () =>
      this.db.transaction((tx) => this.renew(tx, known, renewal)),
    );
  }

  private async renew(
    tx: EntityManager,
    { id, clientId, subjectId, purpose }: Consent,
    renewal: Renewal,
  ): Promise<void> {
    await this.renewals.holdOff(tx, clientId, purpose);
    await this.gate.requireSubject(tx, clientId, subjectId);
    const held = await tx.find(Consent, { where: { id }, lock: { mode: 'pessimistic_write' } });
    const [consent] = await standing(tx, held);
    const now = new Date();
    if (consent === undefined || !mayFollow('renewed', consent, now)) throw new ConsentEnded();
    const { noticeId = consent.noticeId, evidence } = renewal;
    const terms = await this.terms.settle(
      tx,
      { clientId, subjectId, purpose, noticeId, expiresAt: renewal.expiresAt, evidence },
      now,
    );
    const version = await this.ledger.nextVersion(tx, clientId, purpose);
    const renewed = { noticeId, expiresAt: terms.expiresAt, version };
    await tx.update(Consent, { id }, renewed);
    await this.ledger.recordFact(tx, { ...consent, ...renewed }, 'renewed', { ...terms, evidence });
  }
}
