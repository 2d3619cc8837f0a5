import type { JobId } from '#platform/ids';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

/** What a worker can do next: read a job's input, or carry a chunk of its items out. */
export interface Work {
  readonly jobId: JobId;
  /** Undefined: the input is to be read. */
  readonly chunk?: number;
}

/** So many chunks of a job are in the queue at most: the rest waits in PostgreSQL, and other jobs get their turn. */
const CHUNKS_AHEAD = 32;

/** All that waits to be done, oldest jobs first, in turn. */
export class ListWork extends Query<readonly Work[]> {}

@QueryHandler(ListWork)
export class ListWorkHandler implements IQueryHandler<ListWork> {
  constructor(private readonly db: DataSource) {}

  async execute(): Promise<readonly Work[]> {
    const rows = await this.db.query<{ id: JobId; chunk: number | null }[]>(
      `SELECT job.id, work.chunk
       FROM job LEFT JOIN LATERAL (
         SELECT DISTINCT chunk FROM job_item WHERE job_id = job.id AND state = 'waiting' ORDER BY chunk LIMIT $1
       ) AS work ON job.state = 'running'
       WHERE job.state = 'received' OR (job.state = 'running' AND work.chunk IS NOT NULL)
       ORDER BY rank() OVER (PARTITION BY job.id ORDER BY work.chunk), job.id`,
      [CHUNKS_AHEAD],
    );
    return rows.map(({ id, chunk }) => ({ jobId: id, ...(chunk === null ? {} : { chunk }) }));
  }
}
