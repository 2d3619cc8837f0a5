import type { ConsentId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import { type EntityManager, IsNull } from 'typeorm';
import { ConsentLedger } from './internal/consent-ledger.js';
import { standing } from './internal/consent-standing.js';
import { Consent } from './internal/consent.entity.js';

/** Ends the consent of somebody who has been away for as long as the policy allows. */
@Injectable()
export class ConsentInactivity {
  constructor(private readonly ledger: ConsentLedger) {}

  /** Answers false, having changed nothing, of a consent that has ended. */
  async end(tx: EntityManager, consentId: ConsentId): Promise<boolean> {
    const held = await tx.find(Consent, {
      where: { id: consentId, endedAt: IsNull() },
      lock: { mode: 'pessimistic_write' },
    });
    const [consent] = await standing(tx, held);
    if (consent === undefined) return false;
    await this.ledger.cutShort(tx, consent, new Date());
    return true;
  }
}
