import { HOLD_COUNTS, restricted } from '#consent/legal-holds';
import { retentionRule } from '#policy/retention-rules';

/**
 * SQL: whether something keeps what the row `d`, with `subject_id` and `consent_id`, is of: a hold, or a restriction of
 * processing. All that is kept of a person waits for what of it is restricted.
 */
export function onHold(d: string): string {
  return `(${restricted(`${d}.subject_id`, `${d}.consent_id`)}
    OR EXISTS (SELECT FROM legal_hold h WHERE h.subject_id = ${d}.subject_id AND ${HOLD_COUNTS}
      AND (${d}.consent_id IS NULL OR h.consent_id IS NULL OR h.consent_id = ${d}.consent_id))
    OR ${d}.consent_id IS NULL AND EXISTS (SELECT FROM destruction o WHERE o.subject_id = ${d}.subject_id
      AND o.consent_id IS NOT NULL AND o.destroyed_at IS NULL AND ${restricted('o.subject_id', 'o.consent_id')}))`;
}

/**
 * SQL: whether the destruction `d` waits until somebody was told of it, and for as long after that as its policy asks for.
 * Nothing that was made under a consent which ended otherwise does.
 */
export function waitsForNotice(d: string): string {
  return `(${d}.rule = 'inactivity' AND ${d}.noticed_at IS NOT NULL
    AND (${d}.told_at IS NULL OR ${d}.told_at + ${noticeOf(d)} > now()))`;
}

/** SQL: how long before the destruction `d` somebody is told of it, as an interval; null: they need not be. */
export function noticeOf(d: string): string {
  return `(SELECT (${retentionRule('j.document', 'c.purpose', "'noticeBeforeErasure'")}->>'value')::interval
    FROM jurisdiction_policy j LEFT JOIN consent c ON c.id = ${d}.consent_id
    WHERE j.jurisdiction = ${d}.jurisdiction AND j.revision = ${d}.revision)`;
}
