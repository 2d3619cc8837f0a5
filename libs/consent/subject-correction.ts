import { AuditLog } from '#audit/audit-log';
import { violates } from '#platform/constraint-violation';
import type { ClientId, ConsentId, SubjectId } from '#platform/ids';
import { InvalidRequest } from '#platform/platform.errors';
import { Policies } from '#policy/policies';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { ConsentGate } from './consent-gate.js';
import { JurisdictionInUse, SubjectReferenceTaken } from './consent.errors.js';
import { AgeCorrection } from './internal/age-correction.js';
import { SubjectReferences } from './internal/subject-references.js';
import { Subject } from './internal/subject.entity.js';

export interface Correction {
  readonly reference?: string;
  readonly jurisdiction?: string;
  /** The day on which a minor comes of age; null: the person is none. */
  readonly adultFrom?: string | null;
}

export interface Corrected {
  /** Consents that the person, as is known by now, could not give. */
  readonly endedConsents: readonly ConsentId[];
}

/** GDPR Art. 16, DPDP Act section 12(1), in the transaction that closes the case, if there is one. */
@Injectable()
export class SubjectCorrection {
  constructor(
    private readonly gate: ConsentGate,
    private readonly references: SubjectReferences,
    private readonly policies: Policies,
    private readonly ages: AgeCorrection,
    private readonly audit: AuditLog,
  ) {}

  /** What was wrong is kept nowhere. Dates that were written down under another jurisdiction stay. */
  async correct(
    tx: EntityManager,
    clientId: ClientId,
    subjectId: SubjectId,
    { reference, jurisdiction, adultFrom }: Correction,
  ): Promise<Corrected> {
    await this.gate.holdSubject(tx, clientId, subjectId);
    if (reference === undefined && jurisdiction === undefined && adultFrom === undefined) {
      const message = 'or jurisdiction or adultFrom must be given';
      throw new InvalidRequest([{ field: 'reference', message }]);
    }
    if (jurisdiction !== undefined) {
      await this.policies.current(tx, jurisdiction);
      await this.requireNothingUnderOldLaw(tx, subjectId, jurisdiction);
      await tx.update(Subject, { id: subjectId }, { jurisdiction });
    }
    if (reference !== undefined) {
      const referenceIndex = this.references.index(clientId, reference);
      try {
        await tx.update(Subject, { id: subjectId }, { reference, referenceIndex });
      } catch (error) {
        throw violates(error, 'subject_reference') ? new SubjectReferenceTaken() : error;
      }
    }
    const endedConsents = adultFrom === undefined ? [] : await this.correctAge(tx, subjectId, adultFrom);
    const details = {
      reference: reference !== undefined,
      jurisdiction: jurisdiction !== undefined,
      adultFrom: adultFrom !== undefined,
      endedConsents: endedConsents.length,
    };
    await this.audit.append(tx, { type: 'subject.corrected', outcome: 'ok', clientId, subjectId, details });
    return { endedConsents };
  }

  private async correctAge(
    tx: EntityManager,
    subjectId: SubjectId,
    adultFrom: string | null,
  ): Promise<readonly ConsentId[]> {
    const before = await tx.findOneByOrFail(Subject, { id: subjectId });
    await tx.update(Subject, { id: subjectId }, { adultFrom });
    return this.ages.apply(tx, before, adultFrom);
  }

  /**
   * What was consented to was judged by the law of its day, and what is held awaits a date of that law: under another one the
   * consent might not be valid, and an erasure would destroy at once what has to be kept.
   */
  private async requireNothingUnderOldLaw(
    tx: EntityManager,
    subjectId: SubjectId,
    jurisdiction: string,
  ): Promise<void> {
    const found = await tx.query<unknown[]>(
      `SELECT 1 FROM subject s WHERE s.id = $1 AND s.jurisdiction <> $2
         AND (EXISTS (SELECT FROM consent c WHERE c.subject_id = s.id AND c.ended_at IS NULL)
           OR EXISTS (SELECT FROM template t WHERE t.subject_id = s.id)
           OR EXISTS (SELECT FROM destruction d WHERE d.subject_id = s.id AND d.destroyed_at IS NULL))`,
      [subjectId, jurisdiction],
    );
    if (found.length > 0) throw new JurisdictionInUse();
  }
}
