import { AuditLog } from '#audit/audit-log';
import type { ConsentId } from '#platform/ids';
import { Policies } from '#policy/policies';
import type { PolicyDocument } from '#policy/policy-document';
import { Injectable } from '@nestjs/common';
import { type EntityManager, In, IsNull } from 'typeorm';
import type { Guardian } from '../consent-evidence.js';
import { comesOfAge, guardianLacks } from './coming-of-age.js';
import { ConsentFact } from './consent-fact.entity.js';
import { ConsentLedger } from './consent-ledger.js';
import { standing } from './consent-standing.js';
import { consentState } from './consent-state.js';
import { Consent } from './consent.entity.js';
import type { Subject } from './subject.entity.js';

/** What becomes of open consents once it is known that a person is a minor, or is none. */
@Injectable()
export class AgeCorrection {
  constructor(
    private readonly ledger: ConsentLedger,
    private readonly policies: Policies,
    private readonly audit: AuditLog,
  ) {}

  /**
   * Ends those that were given by somebody who could not give them, and has no other outlast the day of coming of age.
   * Of a subject that the caller holds, as it was before. Answers which have ended.
   */
  async apply(tx: EntityManager, before: Subject, adultFrom: string | null): Promise<readonly ConsentId[]> {
    const now = new Date();
    const { document } = await this.policies.current(tx, before.jurisdiction);
    const wasMinor = comesOfAge(before.adultFrom, now) !== undefined;
    const until = comesOfAge(adultFrom, now);
    const held = await tx.find(Consent, {
      where: { subjectId: before.id, endedAt: IsNull() },
      order: { purpose: 'ASC' },
      lock: { mode: 'pessimistic_write' },
    });
    const open = await standing(tx, held);
    const guardians = await guardiansOf(tx, open);
    const ended: ConsentId[] = [];
    for (const consent of open) {
      if (consentState(consent, now) !== 'active') continue;
      const guardian = guardians.get(consent.id);
      const given = until === undefined ? !wasMinor || guardian === undefined : mayGive(document, guardian);
      if (!given) {
        await this.ledger.cutShort(tx, consent, now);
        ended.push(consent.id);
      } else if (until !== undefined) await this.limit(tx, consent, until);
    }
    return ended;
  }

  private async limit(tx: EntityManager, consent: Consent, until: Date): Promise<void> {
    const { id, clientId, subjectId, purpose, expiresAt } = consent;
    if (expiresAt !== null && expiresAt <= until) return;
    const version = await this.ledger.nextVersion(tx, clientId, purpose);
    await tx.update(Consent, { id }, { expiresAt: until, version });
    const details = { consentId: id, purpose, expiresAt: until.toISOString() };
    await this.audit.append(tx, { type: 'consent.shortened', outcome: 'ok', clientId, subjectId, details });
  }
}

function mayGive(document: PolicyDocument, guardian: Guardian | undefined): boolean {
  return guardianLacks(document, guardian) === undefined;
}

/** Who gave each of them the last time, where it was a guardian. */
async function guardiansOf(
  tx: EntityManager,
  consents: readonly Consent[],
): Promise<ReadonlyMap<ConsentId, Guardian | undefined>> {
  const facts = await tx.find(ConsentFact, {
    where: { consentId: In(consents.map(({ id }) => id)), kind: In(['granted', 'renewed']) },
    order: { id: 'ASC' },
  });
  return new Map(
    facts.map(({ consentId, guardianRelationship: relationship, guardianVerifiedBy: verifiedBy }) => [
      consentId,
      relationship === null ? undefined : { relationship, ...(verifiedBy !== null && { verifiedBy }) },
    ]),
  );
}
