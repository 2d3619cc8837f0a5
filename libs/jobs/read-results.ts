import type { ClientId, JobId } from '#platform/ids';
import { Cursors } from '#platform/page';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import type { DuplicateGroup } from './internal/duplicate-groups.js';
import { DuplicateResults } from './internal/duplicate-results.js';
import { IdentificationResults } from './internal/identification-results.js';
import { type JobRow, JobStore } from './internal/job-store.js';
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

/** Of a deduplication a line is a group of subjects who may be one person. */
export interface GroupResult extends DuplicateGroup {
  readonly cursor: string;
}

/**
 * What became of the items, in the order of the input, while the job runs up to the first that has not ended: whoever goes
 * on from a cursor misses none. In batches, as they are read.
 */
export class ReadResults extends Query<AsyncGenerator<(ItemResult | GroupResult)[]>> {
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
    private readonly duplicates: DuplicateResults,
    private readonly identifications: IdentificationResults,
  ) {}

  async execute({
    clientId,
    jobId,
    cursor,
  }: ReadResults): Promise<AsyncGenerator<(ItemResult | GroupResult)[]>> {
    const job = await this.jobs.require(clientId, jobId);
    const list = `results ${jobId}`;
    const after = cursor === undefined ? undefined : this.cursors.decode(list, cursor);
    if (job.type === 'deduplicate') return this.readGroups(list, job, after ?? '');
    return this.read(list, job, Number(after ?? 0));
  }

  private async *readGroups(list: string, job: JobRow, after: string): AsyncGenerator<GroupResult[]> {
    const lines: GroupResult[] = [];
    for (const group of await this.duplicates.groups(job)) {
      const place = group.subjects[0]?.subjectId ?? '';
      // Without its first subject a group stands later, never before: whoever goes on from a cursor misses none.
      if (place > after) lines.push({ ...group, cursor: this.cursors.encode(list, place) });
    }
    for (let at = 0; at < lines.length; at += ITEMS_AT_ONCE) yield lines.slice(at, at + ITEMS_AT_ONCE);
  }

  private async *read(list: string, job: JobRow, after: number): AsyncGenerator<ItemResult[]> {
    for (let last = after; ;) {
      const rows = await this.db.query<EndedRow[]>(
        `SELECT n, state, code, result FROM job_item
         WHERE job_id = $1 AND n > $2 AND state <> 'waiting' AND ($4 OR n < coalesce(
           (SELECT min(n) FROM job_item WHERE job_id = $1 AND n > $2 AND state = 'waiting'), 2147483647))
         ORDER BY n LIMIT $3`,
        [job.id, last, ITEMS_AT_ONCE, isOver(job.state)],
      );
      if (rows.length === 0) return;
      const told = job.type === 'identify' ? await this.identifications.matchable(job, rows) : rows;
      yield told.map(({ n, state, code, result }) => ({
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

interface EndedRow {
  readonly n: number;
  readonly state: ItemOutcome;
  readonly code: string | null;
  readonly result: object | null;
}
