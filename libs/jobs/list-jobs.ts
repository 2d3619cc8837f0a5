import type { ClientId } from '#platform/ids';
import { Cursors, type Page, type PageRequest } from '#platform/page';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { type JobRow, showJob } from './internal/job-store.js';
import type { JobView } from './job.js';

/** Newest first. */
export class ListJobs extends Query<Page<JobView>> {
  constructor(
    readonly clientId: ClientId,
    readonly page: PageRequest,
  ) {
    super();
  }
}

@QueryHandler(ListJobs)
export class ListJobsHandler implements IQueryHandler<ListJobs> {
  constructor(
    private readonly db: DataSource,
    private readonly cursors: Cursors,
  ) {}

  async execute({ clientId, page }: ListJobs): Promise<Page<JobView>> {
    const list = `jobs ${clientId}`;
    const before = page.cursor === undefined ? null : this.cursors.decode(list, page.cursor);
    const rows = await this.db.query<JobRow[]>(
      `SELECT * FROM job WHERE client_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3`,
      [clientId, before, page.limit + 1],
    );
    return this.cursors.page(list, page, rows, showJob);
  }
}
