import type { RetentionRule } from '#consent/destruction-ledger';
import { HOLD_COUNTS, restricted } from '#consent/legal-holds';
import { LAST_SEEN } from '#consent/subject-presence';
import type { ClientId, ConsentId, SubjectId } from '#platform/ids';
import { Cursors, type Page, type PageRequest } from '#platform/page';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

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
  readonly noticedAt: Date | null;
}

/** Dates that are written down, and those of people who will have been away for as long as their policy allows by then. */
const DUE = `
  WITH newest AS (
    SELECT DISTINCT ON (jurisdiction) jurisdiction, revision, document->'retention'->'inactivity'->>'value' AS inactivity
    FROM jurisdiction_policy ORDER BY jurisdiction, revision DESC),
  away AS (
    SELECT s.id, s.client_id, n.jurisdiction, n.revision, n.inactivity, ${LAST_SEEN} AS since
    FROM newest n JOIN subject s ON s.jurisdiction = n.jurisdiction AND s.erased_at IS NULL
    WHERE n.inactivity IS NOT NULL AND s.last_seen_at < $1::timestamptz - n.inactivity::interval + interval '5 days'),
  plan AS (
    SELECT id, subject_id, client_id, consent_id, rule, jurisdiction, revision, since, due_at, noticed_at
    FROM destruction WHERE destroyed_at IS NULL AND due_at < $1
    UNION ALL
    SELECT c.id, a.id, a.client_id, c.id, 'inactivity', a.jurisdiction, a.revision, a.since, e.due_at, NULL
    FROM away a JOIN consent c ON c.subject_id = a.id AND c.ended_at IS NULL
    CROSS JOIN LATERAL (
      SELECT (a.since AT TIME ZONE 'UTC' + a.inactivity::interval) AT TIME ZONE 'UTC' AS due_at) e
    WHERE e.due_at < $1 AND NOT EXISTS (SELECT FROM destruction d WHERE d.consent_id = c.id))
  SELECT p.id, p.subject_id AS "subjectId", p.client_id AS "clientId", p.consent_id AS "consentId",
    (SELECT purpose FROM consent c WHERE c.id = p.consent_id) AS purpose, p.rule, p.jurisdiction, p.revision,
    j.document->'retention'->p.rule->>'source' AS source, p.since, p.due_at AS "dueAt", p.noticed_at AS "noticedAt",
    ${restricted('p.subject_id', 'p.consent_id')} OR EXISTS (SELECT FROM legal_hold h WHERE h.subject_id = p.subject_id AND ${HOLD_COUNTS}
      AND (p.consent_id IS NULL OR h.consent_id IS NULL OR h.consent_id = p.consent_id)) AS "onHold"
  FROM plan p JOIN jurisdiction_policy j ON j.jurisdiction = p.jurisdiction AND j.revision = p.revision
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
