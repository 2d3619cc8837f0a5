import type { ConsentId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import { type EntityManager, IsNull } from 'typeorm';
import { ConsentLedger } from './internal/consent-ledger.js';
import { Consent } from './internal/consent.entity.js';

/** Ends the consent of somebody who has been away for as long as the policy allows. */
@Injectable()
export class ConsentInactivity {
  constructor(private readonly ledger: ConsentLedger) {}

  /** Answers false, having changed nothing, of a consent that has ended. */
  async end(tx: EntityManager, consentId: ConsentId): Promise<boolean> {
    const consent = await tx.findOne(Consent, {
      where: { id: consentId, endedAt: IsNull() },
      lock: { mode: 'pessimistic_write' },
    });
    if (consent === null) return false;
    const now = new Date();
    // Its time is up, and that is what its state says.
    if (consent.expiresAt === null || consent.expiresAt > now)
      await tx.update(Consent, { id: consentId }, { expiresAt: now });
    await this.ledger.end(tx, consent, 'expired', now);
    return true;
  }
}
