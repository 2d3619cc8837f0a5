import type { ClientId } from '#platform/ids';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource, type EntityManager } from 'typeorm';
import { intervalsOf, type ReportInterval, type Span } from './report-intervals.js';
import { REPORT_QUERIES, type ReportQuery, type ReportRow } from './internal/report-queries.js';
import { ReportSpanInvalid } from './records.errors.js';

/** What each report counts, column by column, and what a reader has to know of the figures. */
export const REPORTS = {
  consents: {
    columns: ['purpose', 'granted', 'renewed', 'withdrawn', 'expired', 'refused', 'open'],
    counts:
      'Facts of consents in each interval, and consents that were open at its end: given, neither ended nor past their time.',
  },
  enrolments: {
    columns: ['purpose', 'enrolled', 'refused', 'erased'],
    counts: 'Templates that were enrolled and erased, and enrolments that were refused, by the audit log.',
  },
  matches: {
    columns: ['purpose', 'kind', 'matches', 'noMatches', 'refused'],
    counts:
      'Decisions of the audit log: a match for each person that an answer names, a noMatch for each answer that names nobody.',
  },
  refusals: {
    columns: ['purpose', 'decision', 'code', 'refused'],
    counts: 'Refusals of the audit log, by what was decided and the code that was answered.',
  },
  cases: {
    columns: ['kind', 'state', 'count', 'late', 'averageDays', 'longestDays'],
    counts:
      'Requests of data principals that were opened in the interval, and those that were answered in it, with the days from opening to answer; late: after they were due.',
  },
  openings: {
    columns: ['purpose', 'kind', 'openings'],
    counts:
      'Answers for which the custodian opened scores: one for each verification and search, and for each pair of segments that was compared. An opening whose answer was refused afterwards is among the refusals.',
  },
} as const satisfies Readonly<
  Record<keyof typeof REPORT_QUERIES, { readonly columns: readonly string[]; readonly counts: string }>
>;

export type ReportKind = keyof typeof REPORTS;
export const REPORT_KINDS = Object.keys(REPORTS).filter(isReportKind);

export function isReportKind(text: string): text is ReportKind {
  return Object.hasOwn(REPORTS, text);
}

export interface ReportFilter extends Span {
  readonly interval: ReportInterval;
  readonly clientId?: ClientId;
  readonly purpose?: string;
  readonly jurisdiction?: string;
}

export type ReportLine = Span & Readonly<Record<string, string | number | Date | null>>;

export interface Report {
  readonly report: ReportKind;
  readonly generatedAt: Date;
  readonly from: Date;
  readonly to: Date;
  readonly interval: ReportInterval;
  readonly columns: readonly string[];
  readonly counts: string;
  /**
   * Audit entries that were forgotten since `from`, because people were erased: the figures of earlier intervals may have
   * fallen by as much (docs/adr/0025-forgetting-in-the-audit-log.md). Facts of consents stay.
   */
  readonly forgottenEntries: number;
  readonly rows: readonly ReportLine[];
}

export const MOST_INTERVALS = 1_000;

/** A clock that was set between the making of an id and that of its time. */
const SLACK_MS = 60_000;

/** Throws ReportSpanInvalid. */
export class MakeReport extends Query<Report> {
  constructor(
    readonly kind: ReportKind,
    readonly filter: ReportFilter,
  ) {
    super();
  }
}

@QueryHandler(MakeReport)
export class MakeReportHandler implements IQueryHandler<MakeReport> {
  constructor(private readonly db: DataSource) {}

  async execute({ kind, filter }: MakeReport): Promise<Report> {
    const { from, to, interval } = filter;
    const intervals = intervalsOf(filter, interval, MOST_INTERVALS);
    if (intervals.length === 0 || intervals.length > MOST_INTERVALS) throw new ReportSpanInvalid();
    const { columns, counts } = REPORTS[kind];
    const { rows, forgottenEntries } = await this.db.transaction('REPEATABLE READ', async (tx) => ({
      rows: await count(tx, kind, filter),
      forgottenEntries: await countForgotten(tx, from),
    }));
    const lines = kind === 'consents' ? balance(rows, intervals) : rows.map((row) => lineOf(row, intervals));
    return {
      report: kind,
      generatedAt: new Date(),
      from,
      to,
      interval,
      columns: ['from', 'to', ...columns],
      counts,
      forgottenEntries,
      rows: lines,
    };
  }
}

async function count(
  tx: EntityManager,
  kind: ReportKind,
  filter: ReportFilter,
): Promise<readonly ReportRow[]> {
  const { sql, byId, types }: ReportQuery = REPORT_QUERIES[kind];
  const { from, to, interval, clientId, purpose, jurisdiction } = filter;
  const ids = byId ? [idAt(from.getTime() - SLACK_MS), idAt(to.getTime() + SLACK_MS)] : [];
  const given = [clientId ?? null, purpose ?? null, jurisdiction ?? null];
  const wanted = types === 'all' ? [null] : types === undefined ? [] : [types];
  return tx.query<ReportRow[]>(sql, [from, to, interval, ...given, ...ids, ...wanted]);
}

async function countForgotten(tx: EntityManager, from: Date): Promise<number> {
  const [{ entries }] = await tx.query<[{ entries: number }]>(
    `SELECT coalesce(sum((details ->> 'entries')::int), 0)::float8 AS entries FROM audit_event
     WHERE type = 'entries.forgotten' AND id >= $1 AND at >= $2`,
    [idAt(from.getTime() - SLACK_MS), from],
  );
  return entries;
}

/** The least UUIDv7 of a millisecond (RFC 9562 section 5.7). */
function idAt(ms: number): string {
  const time = Math.max(0, ms).toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-000000000000`;
}

function lineOf({ begun, ...row }: ReportRow, intervals: readonly Span[]): ReportLine {
  const span = intervals.find(({ to }) => to > begun);
  if (span === undefined) throw new Error('a row is in none of the intervals');
  return { ...span, ...row };
}

/** A line for each purpose in each interval, so that what is open can be read where nothing happened, too. */
function balance(rows: readonly ReportRow[], intervals: readonly Span[]): readonly ReportLine[] {
  const purposes = [...new Set(rows.map(({ purpose }) => String(purpose)))].toSorted();
  const lines = new Map(
    rows.map((row) => [`${+lineOf(row, intervals).from} ${String(row['purpose'])}`, row]),
  );
  const open = new Map<string, number>();
  return intervals.flatMap((span) =>
    purposes.map((purpose) => {
      const { begun: _begun, change = 0, ...facts } = lines.get(`${+span.from} ${purpose}`) ?? NO_FACTS;
      const left = (open.get(purpose) ?? 0) + Number(change);
      open.set(purpose, left);
      return { ...span, ...facts, purpose, open: left };
    }),
  );
}

const NO_FACTS: ReportRow = {
  begun: new Date(0),
  granted: 0,
  renewed: 0,
  withdrawn: 0,
  expired: 0,
  refused: 0,
};
