import type { RetentionRule } from '#consent/destruction-ledger';
import type { Id } from '#platform/ids';
import { Cursors, type Page, type PageRequest } from '#platform/page';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

export interface RunCount {
  readonly jurisdiction: string;
  /** Null: all that was kept of persons. */
  readonly purpose: string | null;
  readonly rule: RetentionRule;
  readonly destroyed: number;
  readonly templates: number;
}

/** A run that destroyed something. */
export interface RunView {
  readonly id: Id<'retention-run'>;
  readonly startedAt: Date;
  readonly counts: readonly RunCount[];
}

export class ListRuns extends Query<Page<RunView>> {
  constructor(readonly page: PageRequest) {
    super();
  }
}

@QueryHandler(ListRuns)
export class ListRunsHandler implements IQueryHandler<ListRuns> {
  constructor(
    private readonly db: DataSource,
    private readonly cursors: Cursors,
  ) {}

  async execute({ page }: ListRuns): Promise<Page<RunView>> {
    const before = page.cursor === undefined ? null : this.cursors.decode('retention runs', page.cursor);
    const rows = await this.db.query<RunView[]>(
      `SELECT r.id, r.started_at AS "startedAt", (
         SELECT jsonb_agg(jsonb_build_object('jurisdiction', g.jurisdiction, 'purpose', g.purpose, 'rule', g.rule,
           'destroyed', g.destroyed, 'templates', g.templates) ORDER BY g.jurisdiction, g.purpose, g.rule)
         FROM (SELECT d.jurisdiction, c.purpose, d.rule, count(*) AS destroyed, sum(d.templates) AS templates
               FROM destruction d LEFT JOIN consent c ON c.id = d.consent_id
               WHERE d.run_id = r.id GROUP BY 1, 2, 3) AS g) AS counts
       FROM retention_run r WHERE $1::uuid IS NULL OR r.id < $1 ORDER BY r.id DESC LIMIT $2`,
      [before, page.limit + 1],
    );
    return this.cursors.page('retention runs', page, rows, (row) => row);
  }
}
