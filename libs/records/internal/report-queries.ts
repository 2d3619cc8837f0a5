import type { AuditEventType } from '#audit/audit-event-types';

/** Its `begun` is the start of an interval, before it is cut to the span; its other columns are those of the report. */
export type ReportRow = { readonly begun: Date } & Readonly<Record<string, string | number | Date | null>>;

/** $1 from, $2 to, $3 interval, $4 client, $5 purpose, $6 jurisdiction; `byId`: $7 and $8 bounds of ids; of events, $9 types. */
export interface ReportQuery {
  readonly sql: string;
  /** What it counts is written down when it happens, so that ids, which are UUIDv7, find a span of time. */
  readonly byId: boolean;
  /** Undefined: it does not count audit entries. */
  readonly types?: readonly AuditEventType[] | 'all';
}

// The index of ids finds a span of time, in which `at` then decides.
const EVENTS = `WITH purposes AS (
    SELECT gallery_id, details ->> 'purpose' AS purpose FROM audit_event WHERE type = 'gallery.created'
  ), events AS (
    SELECT date_trunc($3, e.at, 'UTC') AS begun, e.at, e.type, e.outcome, e.code, e.gallery_id, e.details,
      coalesce(p.purpose, e.details ->> 'purpose') AS purpose
    FROM audit_event e LEFT JOIN purposes p ON p.gallery_id = e.gallery_id
    WHERE e.id >= $7 AND e.id < $8 AND e.at >= $1 AND e.at < $2
      AND ($9::text[] IS NULL OR e.type = ANY ($9))
      AND ($4::uuid IS NULL OR e.client_id = $4)
      AND ($5::text IS NULL OR coalesce(p.purpose, e.details ->> 'purpose') = $5)
      AND ($6::text IS NULL OR EXISTS (SELECT FROM subject s WHERE s.id = e.subject_id AND s.jurisdiction = $6))
  )`;

const CONSENTS = `WITH scoped AS (
    SELECT c.id, c.purpose, c.granted_at, least(c.ended_at, c.expires_at) AS closed_at
    FROM consent c WHERE ($4::uuid IS NULL OR c.client_id = $4) AND ($5::text IS NULL OR c.purpose = $5)
      AND ($6::text IS NULL OR EXISTS (SELECT FROM subject s WHERE s.id = c.subject_id AND s.jurisdiction = $6))
  ), facts AS (
    SELECT date_trunc($3, f.at, 'UTC') AS begun, c.purpose, f.kind, 0 AS step
    -- By their own time and not by their ids: a consent on paper is recorded days after it was signed.
    FROM consent_fact f JOIN scoped c ON c.id = f.consent_id WHERE f.at >= $1 AND f.at < $2
  ), steps AS (
    SELECT purpose, granted_at AS at, 1 AS step FROM scoped
    UNION ALL SELECT purpose, closed_at, -1 FROM scoped WHERE closed_at IS NOT NULL
  ), changes AS (
    SELECT begun, purpose, kind, step FROM facts
    -- What was before counts as the balance of the first interval.
    UNION ALL SELECT date_trunc($3, greatest(at, $1), 'UTC'), purpose, NULL, step FROM steps
      WHERE at < least($2, now())
  )
  SELECT begun, purpose, count(*) FILTER (WHERE kind = 'granted')::float8 AS granted,
    count(*) FILTER (WHERE kind = 'renewed')::float8 AS renewed,
    count(*) FILTER (WHERE kind = 'withdrawn')::float8 AS withdrawn,
    count(*) FILTER (WHERE kind = 'expired')::float8 AS expired,
    count(*) FILTER (WHERE kind = 'refused')::float8 AS refused, sum(step)::float8 AS change
  FROM changes GROUP BY 1, 2 ORDER BY 1, 2`;

const KIND = `CASE type WHEN 'subject.verified' THEN 'verification' WHEN 'gallery.identified' THEN 'identification'
  ELSE 'deduplication' END`;

const MATCHES = ['subject.verified', 'gallery.identified', 'gallery.deduplicated'] as const;

/** Cases are opened in their first state and have a row for each further one. A letter is entered days after it came. */
const CASES = `WITH opened AS (
    SELECT c.kind, c.opened_at, c.client_id, c.purpose, c.jurisdiction FROM rights_case c
    WHERE c.opened_at >= $1 AND c.opened_at < $2
  ), answers AS (
    SELECT c.kind, t.state, t.at, c.opened_at, c.due_at, c.client_id, c.purpose, c.jurisdiction
    FROM case_transition t JOIN rights_case c ON c.id = t.case_id
    WHERE t.id >= $7 AND t.id < $8 AND t.at >= $1 AND t.at < $2 AND t.state IN ('fulfilled', 'refused', 'withdrawn')
  ), events AS (
    SELECT kind, 'opened' AS state, opened_at AS at, NULL::float8 AS days, false AS late, client_id, purpose, jurisdiction
    FROM opened
    UNION ALL SELECT kind, state, at, extract(epoch FROM at - opened_at) / 86400, at > due_at, client_id, purpose, jurisdiction
    FROM answers
  )
  SELECT date_trunc($3, at, 'UTC') AS begun, kind, state, count(*)::float8 AS count, count(*) FILTER (WHERE late)::float8 AS late,
    round(avg(days)::numeric, 2)::float8 AS "averageDays", round(max(days)::numeric, 2)::float8 AS "longestDays"
  FROM events WHERE ($4::uuid IS NULL OR client_id = $4) AND ($5::text IS NULL OR purpose = $5)
    AND ($6::text IS NULL OR jurisdiction = $6)
  GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`;

export const REPORT_QUERIES = {
  consents: { byId: false, sql: CONSENTS },
  enrolments: {
    byId: true,
    types: ['template.enrolled', 'template.erased'],
    sql: `${EVENTS} SELECT begun, purpose,
        count(*) FILTER (WHERE type = 'template.enrolled' AND outcome = 'ok')::float8 AS enrolled,
        count(*) FILTER (WHERE type = 'template.enrolled' AND outcome = 'refused')::float8 AS refused,
        count(*) FILTER (WHERE type = 'template.erased' AND outcome = 'ok')::float8 AS erased
      FROM events GROUP BY 1, 2 ORDER BY 1, 2`,
  },
  matches: {
    byId: true,
    types: MATCHES,
    sql: `${EVENTS} SELECT begun, purpose, ${KIND} AS kind,
        count(*) FILTER (WHERE outcome = 'match')::float8 AS matches,
        count(*) FILTER (WHERE outcome = 'no_match')::float8 AS "noMatches",
        count(*) FILTER (WHERE outcome = 'refused')::float8 AS refused
      FROM events GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`,
  },
  refusals: {
    byId: true,
    types: 'all',
    sql: `${EVENTS} SELECT begun, purpose, type AS decision, code, count(*)::float8 AS refused
      FROM events WHERE outcome = 'refused' GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4`,
  },
  cases: { byId: true, sql: CASES },
  openings: {
    byId: true,
    types: MATCHES,
    // An identification has an entry for each of the persons that it names; the comparison of two segments has one time.
    sql: `${EVENTS} SELECT begun, purpose, ${KIND} AS kind,
        round(CASE type WHEN 'gallery.deduplicated' THEN count(DISTINCT (gallery_id, at))
          ELSE sum(1 / greatest(1, coalesce((details ->> 'candidates')::numeric, 1))) END)::float8 AS openings
      FROM events WHERE outcome IN ('match', 'no_match') GROUP BY begun, purpose, type ORDER BY 1, 2, 3`,
  },
} as const satisfies Readonly<Record<string, ReportQuery>>;
