import type { ClientId, JobId } from '#platform/ids';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { JobStore, showJob } from './internal/job-store.js';
import type { JobView } from './job.js';

export class FindJob extends Query<JobView> {
  constructor(
    readonly clientId: ClientId,
    readonly jobId: JobId,
  ) {
    super();
  }
}

@QueryHandler(FindJob)
export class FindJobHandler implements IQueryHandler<FindJob> {
  constructor(private readonly jobs: JobStore) {}

  async execute({ clientId, jobId }: FindJob): Promise<JobView> {
    return showJob(await this.jobs.require(clientId, jobId));
  }
}
