import { AuditLog } from '#audit/audit-log';
import type { ClientId, ConsentId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { ConsentNotFound } from './consent.errors.js';
import { ConsentLedger } from './internal/consent-ledger.js';
import { standing } from './internal/consent-standing.js';
import { endingFact } from './internal/consent-state.js';
import { Consent } from './internal/consent.entity.js';

/**
 * GDPR Art. 7(3), DPDP Act section 6(4): withdrawing is as easy as giving, so nothing but the consent is asked
 * for, and withdrawing twice is no error. Matching stops with the commit; the worker erases what was sealed.
 */
export class WithdrawConsent extends Command<void> {
  constructor(
    readonly clientId: ClientId,
    readonly consentId: ConsentId,
  ) {
    super();
  }
}

@CommandHandler(WithdrawConsent)
export class WithdrawConsentHandler implements ICommandHandler<WithdrawConsent> {
  constructor(
    private readonly db: DataSource,
    private readonly ledger: ConsentLedger,
    private readonly audit: AuditLog,
  ) {}

  execute({ clientId, consentId }: WithdrawConsent): Promise<void> {
    const event = { type: 'consent.withdrawn', clientId, details: { consentId } } as const;
    return this.audit.recordingRefusals(event, () =>
      this.db.transaction(async (tx) => {
        const held = await tx.find(Consent, {
          where: { id: consentId, clientId },
          lock: { mode: 'pessimistic_write' },
        });
        const [consent] = await standing(tx, held);
        if (consent === undefined) throw new ConsentNotFound();
        const now = new Date();
        const fact = endingFact(consent, now);
        if (fact !== undefined) await this.ledger.end(tx, consent, fact, now);
      }),
    );
  }
}
