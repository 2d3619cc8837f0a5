import { PrepareJob } from '#jobs/prepare-job';
import { WorkChunk } from '#jobs/work-chunk';
import { asId } from '#platform/ids';
import { JOBS, type WorkJob } from '#platform/queues';
import { runInContext } from '#platform/request-context';
import { Processor, WorkerHost } from '@nestjs/bullmq';
import { CommandBus } from '@nestjs/cqrs';
import type { Job } from 'bullmq';

/**
 * Bulk work becomes commands. Two at once: while one writes to the database, the other has the processors. What a worker
 * that died had in hand is given to another within seconds.
 */
@Processor(JOBS, { concurrency: 2, lockDuration: 10_000, stalledInterval: 5_000, maxStalledCount: 100 })
export class WorkProcessor extends WorkerHost {
  constructor(private readonly commands: CommandBus) {
    super();
  }

  async process(job: Job<WorkJob>): Promise<void> {
    const jobId = asId<'job'>(job.data.jobId);
    const { chunk } = job.data;
    if (chunk !== undefined && !Number.isSafeInteger(chunk)) throw new TypeError('no such chunk');
    await runInContext({ requestId: `job-${jobId}` }, () =>
      this.commands.execute(chunk === undefined ? new PrepareJob(jobId) : new WorkChunk(jobId, chunk)),
    );
  }
}
