import type { JobId } from '#platform/ids';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

/** What a worker can do next: read a job's input, or carry a chunk of its items out. */
export interface Work {
  readonly jobId: JobId;
  /** Undefined: the input is to be read. */
  readonly chunk?: number;
  /** The input is from before an erasure and may name whom that erased: it is read before all else. */
  readonly urgent: boolean;
}

/** So many chunks of a job are in the queue at most: the rest waits in PostgreSQL, and other jobs get their turn. */
const CHUNKS_AHEAD = 64;

const WORK_AT_ONCE = 512;

/** What waits to be done: what is urgent first; then clients take turns, and so do the jobs of one client, oldest first. */
export class ListWork extends Query<readonly Work[]> {
  constructor(readonly only?: 'urgent') {
    super();
  }
}

@QueryHandler(ListWork)
export class ListWorkHandler implements IQueryHandler<ListWork> {
  constructor(private readonly db: DataSource) {}

  async execute({ only }: ListWork): Promise<readonly Work[]> {
    const rows = await this.db.query<{ id: JobId; chunk: number | null; urgent: boolean }[]>(
      `WITH work AS (
         SELECT job.id, job.client_id, waiting.chunk,
                -- A transaction that began before an upload ended may erase after it.
                job.state = 'received' AND EXISTS (SELECT FROM subject WHERE subject.client_id = job.client_id
                  AND erased_at >= job.created_at - interval '1 minute') AS urgent,
                row_number() OVER (PARTITION BY job.id ORDER BY waiting.chunk) AS turn
         FROM job LEFT JOIN LATERAL (
           SELECT DISTINCT chunk FROM job_item WHERE job_id = job.id AND state = 'waiting'
           ORDER BY chunk LIMIT $1
         ) AS waiting ON job.state = 'running' AND NOT $3
         WHERE job.state = 'received' OR (job.state = 'running' AND waiting.chunk IS NOT NULL)
       )
       SELECT id, chunk, urgent FROM work WHERE urgent OR NOT $3
       ORDER BY urgent DESC, row_number() OVER (PARTITION BY client_id ORDER BY turn, id), id LIMIT $2`,
      [CHUNKS_AHEAD, WORK_AT_ONCE, only === 'urgent'],
    );
    return rows.map(({ id, chunk, urgent }) => ({ jobId: id, urgent, ...(chunk === null ? {} : { chunk }) }));
  }
}
