import type { ClientId, JobId } from '#platform/ids';
import { Cursors } from '#platform/page';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { JobStore } from './internal/job-store.js';
import { isOver, type ItemOutcome } from './job.js';

const ITEMS_AT_ONCE = 1_000;

export interface ItemResult {
  /** Its place in the input, from 1. */
  readonly item: number;
  readonly outcome: ItemOutcome;
  readonly code?: string;
  /** Where to go on after this line. */
  readonly cursor: string;
}

/**
 * What became of the items, in the order of the input, while the job runs up to the first that has not ended: whoever goes
 * on from a cursor misses none. In batches, as they are read.
 */
export class ReadResults extends Query<AsyncGenerator<ItemResult[]>> {
  constructor(
    readonly clientId: ClientId,
    readonly jobId: JobId,
    readonly cursor: string | undefined,
  ) {
    super();
  }
}

@QueryHandler(ReadResults)
export class ReadResultsHandler implements IQueryHandler<ReadResults> {
  constructor(
    private readonly db: DataSource,
    private readonly jobs: JobStore,
    private readonly cursors: Cursors,
  ) {}

  async execute({ clientId, jobId, cursor }: ReadResults): Promise<AsyncGenerator<ItemResult[]>> {
    const { state } = await this.jobs.require(clientId, jobId);
    const list = `results ${jobId}`;
    const after = cursor === undefined ? 0 : Number(this.cursors.decode(list, cursor));
    return this.read(list, jobId, after, isOver(state));
  }

  private async *read(
    list: string,
    jobId: JobId,
    after: number,
    over: boolean,
  ): AsyncGenerator<ItemResult[]> {
    for (let last = after; ;) {
      const rows = await this.db.query<
        { n: number; state: ItemOutcome; code: string | null; result: object | null }[]
      >(
        `SELECT n, state, code, result FROM job_item
         WHERE job_id = $1 AND n > $2 AND state <> 'waiting' AND ($4 OR n < coalesce(
           (SELECT min(n) FROM job_item WHERE job_id = $1 AND n > $2 AND state = 'waiting'), 2147483647))
         ORDER BY n LIMIT $3`,
        [jobId, last, ITEMS_AT_ONCE, over],
      );
      if (rows.length === 0) return;
      yield rows.map(({ n, state, code, result }) => ({
        item: n,
        outcome: state,
        ...(code === null ? {} : { code }),
        ...result,
        cursor: this.cursors.encode(list, String(n).padStart(36, '0')),
      }));
      last = rows.at(-1)?.n ?? last;
    }
  }
}
