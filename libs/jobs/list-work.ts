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
const CHUNKS_AHEAD = 64;

const WORK_AT_ONCE = 512;

/** What waits to be done: clients take turns, and so do the jobs of one client, oldest first. */
export class ListWork extends Query<readonly Work[]> {}

@QueryHandler(ListWork)
export class ListWorkHandler implements IQueryHandler<ListWork> {
  constructor(private readonly db: DataSource) {}

  async execute(): Promise<readonly Work[]> {
    const rows = await this.db.query<{ id: JobId; chunk: number | null }[]>(
      `WITH work AS (
         SELECT job.id, job.client_id, waiting.chunk,
                row_number() OVER (PARTITION BY job.id ORDER BY waiting.chunk) AS turn
         FROM job LEFT JOIN LATERAL (
           SELECT DISTINCT chunk FROM job_item WHERE job_id = job.id AND state = 'waiting'
           ORDER BY chunk LIMIT $1
         ) AS waiting ON job.state = 'running'
         WHERE job.state = 'received' OR (job.state = 'running' AND waiting.chunk IS NOT NULL)
       )
       SELECT id, chunk FROM work
       ORDER BY row_number() OVER (PARTITION BY client_id ORDER BY turn, id), id LIMIT $2`,
      [CHUNKS_AHEAD, WORK_AT_ONCE],
    );
    return rows.map(({ id, chunk }) => ({ jobId: id, ...(chunk === null ? {} : { chunk }) }));
  }
}
