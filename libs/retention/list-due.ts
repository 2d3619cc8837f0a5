import type { RetentionRule } from '#consent/destruction-ledger';
import { LAST_SEEN } from '#consent/subject-presence';
import type { ClientId, ConsentId, SubjectId } from '#platform/ids';
import { Cursors, type Page, type PageRequest } from '#platform/page';
import { retentionRule } from '#policy/retention-rules';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { onHold, waitsForNotice } from './standing-in-the-way.js';

/** What would be destroyed, when and why. */
export interface DueView {
  /** Of the destruction, or of the consent where no date is written down yet. */
  readonly id: string;
  readonly subjectId: SubjectId;
  readonly clientId: ClientId;
  /** Null, as its purpose: all that is kept of the person. */
  readonly consentId: ConsentId | null;
  readonly purpose: string | null;
  readonly rule: RetentionRule;
  readonly jurisdiction: string;
  readonly revision: number;
  /** Where the rule comes from, as the policy has it. */
  readonly source: string;
  readonly since: Date;
  readonly dueAt: Date;
  readonly onHold: boolean;
  /** When its client was to be told. */
  readonly noticedAt: Date | null;
  /** When its client was told: a webhook accepted the notice, or the client read the list of them. */
  readonly toldAt: Date | null;
  /** Nobody was told of it, or not for as long as the policy asks: it is not destroyed until then. */
  readonly waitsForNotice: boolean;
}

/** By the policies in force, for one purpose (`purpose`) or for all that have no rules of their own (null). */
const RULES = `newest AS (
    SELECT DISTINCT ON (jurisdiction) jurisdiction, revision, document
    FROM jurisdiction_policy ORDER BY jurisdiction, revision DESC),
  rules AS (
    SELECT n.jurisdiction, n.revision, n.document, p.purpose,
      (${retentionRule('n.document', 'p.purpose', "'inactivity'")}->>'value')::interval AS inactivity,
      (${retentionRule('n.document', 'p.purpose', "'noticeBeforeErasure'")}->>'value')::interval AS notice
    FROM newest n CROSS JOIN LATERAL (
      SELECT NULL AS purpose UNION ALL SELECT jsonb_object_keys(n.document->'retention'->'byPurpose')) AS p)`;

/**
 * Open consents of people who will have been away for as long as their policy allows by then. Nobody was told of them yet: a
 * run that begins now gives them a date that leaves the time for it, as `inactivityEnds` has it.
 */
const AWAY = `away AS (
    SELECT c.id, c.subject_id, c.client_id, c.expires_at, r.jurisdiction, r.revision, seen.since, e.due_at
    FROM rules r
    JOIN subject s ON s.jurisdiction = r.jurisdiction AND s.erased_at IS NULL
      AND s.last_seen_at < $1::timestamptz - r.inactivity + interval '5 days'
    JOIN consent c ON c.subject_id = s.id AND c.ended_at IS NULL AND (c.purpose = r.purpose OR r.purpose IS NULL
      AND (r.document->'retention'->'byPurpose'->c.purpose) IS NULL)
    CROSS JOIN LATERAL (SELECT ${LAST_SEEN} AS since) AS seen
    CROSS JOIN LATERAL (SELECT greatest((seen.since AT TIME ZONE 'UTC' + r.inactivity) AT TIME ZONE 'UTC',
      CASE WHEN r.notice IS NOT NULL THEN (now() AT TIME ZONE 'UTC' + r.notice) AT TIME ZONE 'UTC' END) AS due_at) AS e
    WHERE e.due_at < $1 AND NOT EXISTS (SELECT FROM destruction d WHERE d.consent_id = c.id))`;

/** Open consents whose time will be up by then, and after it that for which the policy keeps what was made under them. */
const LAPSED = `lapsed AS (
    SELECT c.id, c.subject_id, c.client_id, n.jurisdiction, n.revision, c.expires_at AS since, e.due_at
    FROM consent c JOIN subject s ON s.id = c.subject_id JOIN newest n ON n.jurisdiction = s.jurisdiction
    CROSS JOIN LATERAL (SELECT (c.expires_at AT TIME ZONE 'UTC'
      + (${retentionRule('n.document', 'c.purpose', "'afterEnd'")}->>'value')::interval) AT TIME ZONE 'UTC' AS due_at) AS e
    WHERE c.ended_at IS NULL AND c.expires_at < $1 AND e.due_at < $1
      AND EXISTS (SELECT FROM template t WHERE t.consent_id = c.id))`;

/** Dates that are written down, but for what undoes them: the person came back, or the consent ends before by its own time. */
const DATED = `dated AS (
    SELECT d.id, d.subject_id, d.client_id, d.consent_id, d.rule, d.jurisdiction, d.revision, d.since, d.due_at, d.noticed_at,
      d.told_at
    FROM destruction d WHERE d.destroyed_at IS NULL AND d.due_at < $1
      AND NOT (d.rule = 'inactivity' AND EXISTS (
        SELECT FROM consent c JOIN subject s ON s.id = c.subject_id WHERE c.id = d.consent_id AND c.ended_at IS NULL
          AND (date_trunc('milliseconds', ${LAST_SEEN}) > d.since OR c.expires_at < least(d.due_at, $1)))))`;

const DUE = `
  WITH ${RULES}, ${AWAY}, ${LAPSED}, ${DATED},
  plan AS (
    SELECT id, subject_id, client_id, consent_id, rule, jurisdiction, revision, since, due_at, noticed_at, told_at FROM dated
    UNION ALL
    SELECT id, subject_id, client_id, id, 'afterEnd', jurisdiction, revision, since, due_at, NULL, NULL FROM lapsed
    UNION ALL
    SELECT id, subject_id, client_id, id, 'inactivity', jurisdiction, revision, since, due_at, NULL, NULL FROM away
    WHERE expires_at IS NULL OR expires_at >= due_at)
  SELECT p.id, p.subject_id AS "subjectId", p.client_id AS "clientId", p.consent_id AS "consentId", c.purpose, p.rule,
    p.jurisdiction, p.revision, ${retentionRule('j.document', 'c.purpose', 'p.rule')}->>'source' AS source, p.since,
    p.due_at AS "dueAt", p.noticed_at AS "noticedAt", p.told_at AS "toldAt",
    ${onHold('p')} AS "onHold", ${waitsForNotice('p')} AS "waitsForNotice"
  FROM plan p JOIN jurisdiction_policy j ON j.jurisdiction = p.jurisdiction AND j.revision = p.revision
  LEFT JOIN consent c ON c.id = p.consent_id
  WHERE $2::uuid IS NULL OR p.id > $2 ORDER BY p.id LIMIT $3`;

/** A dry run: what is to be destroyed before that time if nobody does anything meanwhile. */
export class ListDue extends Query<Page<DueView>> {
  constructor(
    readonly before: Date,
    readonly page: PageRequest,
  ) {
    super();
  }
}

@QueryHandler(ListDue)
export class ListDueHandler implements IQueryHandler<ListDue> {
  constructor(
    private readonly db: DataSource,
    private readonly cursors: Cursors,
  ) {}

  async execute({ before, page }: ListDue): Promise<Page<DueView>> {
    const after = page.cursor === undefined ? null : this.cursors.decode('due', page.cursor);
    const rows = await this.db.query<DueView[]>(DUE, [before, after, page.limit + 1]);
    return this.cursors.page('due', page, rows, (row) => row);
  }
}
