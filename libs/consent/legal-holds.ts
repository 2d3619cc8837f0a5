import type { ConsentId, SubjectId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';

/** SQL: whether a hold `h` counts now. */
export const HOLD_COUNTS = 'h.released_at IS NULL AND (h.until IS NULL OR h.until > now())';

/**
 * SQL: whether what was made under a consent is kept although the consent is over, since the processing is restricted: GDPR
 * Art. 18(1)(b) and (c), the person may need just what would be destroyed. A withdrawal is the person's own wish, and a
 * granted erasure is of all, not of one consent.
 */
export function restricted(subject: string, consent: string): string {
  return `(${consent} IS NOT NULL AND EXISTS (SELECT FROM subject r WHERE r.id = ${subject} AND r.restricted_at IS NOT NULL)
    AND NOT EXISTS (SELECT FROM consent_fact f WHERE f.consent_id = ${consent} AND f.kind = 'withdrawn'))`;
}

/** What an officer has ordered to be kept: it is not destroyed, whoever asks, and none of it is searchable for that. */
@Injectable()
export class LegalHolds {
  /** Whether what was made under the consent is on hold, or its processing restricted; without a consent, whether anything of the person is. */
  async cover(tx: EntityManager, subjectId: SubjectId, consentId: ConsentId | null): Promise<boolean> {
    const [held] = await tx.query<unknown[]>(
      `SELECT 1 FROM legal_hold h WHERE h.subject_id = $1 AND ${HOLD_COUNTS}
         AND ($2::uuid IS NULL OR h.consent_id IS NULL OR h.consent_id = $2)
       UNION ALL SELECT 1 WHERE ${restricted('$1', '$2::uuid')}`,
      [subjectId, consentId],
    );
    return held !== undefined;
  }

  /** Which of these consents a hold covers. */
  async among(tx: EntityManager, consentIds: readonly ConsentId[]): Promise<ReadonlySet<ConsentId>> {
    if (consentIds.length === 0) return new Set();
    const rows = await tx.query<{ id: ConsentId }[]>(
      `SELECT c.id FROM consent c WHERE c.id = ANY($1) AND EXISTS (SELECT FROM legal_hold h
         WHERE h.subject_id = c.subject_id AND ${HOLD_COUNTS} AND (h.consent_id IS NULL OR h.consent_id = c.id))`,
      [consentIds],
    );
    return new Set(rows.map(({ id }) => id));
  }
}
