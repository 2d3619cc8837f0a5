import type { ClientId, JobId } from '#platform/ids';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { setTimeout } from 'node:timers/promises';
import { JobStore, showJob } from './internal/job-store.js';
import { isOver, type JobView } from './job.js';

const PERIOD_MS = 500;

/** Proxies cut connections off that are silent for a minute. */
const QUIET_PERIODS = 30;

/** The job whenever it changed, until it is over or `signal` aborts; undefined now and then while nothing happens. */
export class FollowJob extends Query<AsyncGenerator<JobView | undefined>> {
  constructor(
    readonly clientId: ClientId,
    readonly jobId: JobId,
    readonly signal: AbortSignal,
  ) {
    super();
  }
}

@QueryHandler(FollowJob)
export class FollowJobHandler implements IQueryHandler<FollowJob> {
  constructor(private readonly jobs: JobStore) {}

  async execute({ clientId, jobId, signal }: FollowJob): Promise<AsyncGenerator<JobView | undefined>> {
    await this.jobs.require(clientId, jobId);
    return this.follow(clientId, jobId, signal);
  }

  private async *follow(
    clientId: ClientId,
    jobId: JobId,
    signal: AbortSignal,
  ): AsyncGenerator<JobView | undefined> {
    let seen = '';
    let quiet = 0;
    while (!signal.aborted) {
      const job = showJob(await this.jobs.require(clientId, jobId));
      const { state, total, done, refused, failed } = job;
      const now = [state, total, done, refused, failed].join();
      if (now !== seen) yield job;
      else if (++quiet % QUIET_PERIODS === 0) yield undefined;
      seen = now;
      if (isOver(state)) return;
      await setTimeout(PERIOD_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}
