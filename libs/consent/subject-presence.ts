import type { SubjectId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

/** SQL: the last interaction with the person `s`. Giving a consent and enrolling are on record; matches are noted. */
export const LAST_SEEN = `greatest(s.last_seen_at,
  (SELECT max(f.at) FROM consent_fact f JOIN consent c ON c.id = f.consent_id
   WHERE c.subject_id = s.id AND f.kind IN ('granted', 'renewed')),
  (SELECT max(t.created_at) FROM template t WHERE t.subject_id = s.id))`;

/** When persons were last recognised, for rules that count from the last interaction with somebody. */
@Injectable()
export class SubjectPresence {
  constructor(private readonly db: DataSource) {}

  /**
   * Notes that they are there: written once a day at the most, so that time counts from up to a day too early and never too
   * late (740 ILCS 14/15(a): within 3 years of the last interaction). It MUST be called outside the transaction that records the
   * match, where two that share a hold of the row would wait for each other, and before it, so that a crash in between
   * leaves a later date and never an earlier one.
   */
  async note(subjectIds: readonly SubjectId[]): Promise<void> {
    if (subjectIds.length === 0) return;
    await this.db.query(
      `UPDATE subject SET last_seen_at = now() WHERE id IN (
         SELECT id FROM subject WHERE id = ANY($1) AND last_seen_at < now() - interval '1 day'
         ORDER BY id FOR NO KEY UPDATE)`,
      [subjectIds],
    );
  }
}
