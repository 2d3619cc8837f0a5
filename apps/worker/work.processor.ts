import { OpeningsLimited } from '#custody/custody.errors';
import { PrepareJob } from '#jobs/prepare-job';
import { PHOTOS_A_CHUNK } from '#jobs/job';
import { WorkChunk } from '#jobs/work-chunk';
import type { Config } from '#platform/config';
import { asId } from '#platform/ids';
import { CONFIG } from '#platform/platform.module';
import { JOBS, type WorkJob } from '#platform/queues';
import { runInContext } from '#platform/request-context';
import { Processor } from '@nestjs/bullmq';
import { CommandBus } from '@nestjs/cqrs';
import { Inject, type OnApplicationBootstrap } from '@nestjs/common';
import { DelayedError, type Job } from 'bullmq';
import { DrainingWorkerHost } from './draining-worker-host.js';

/** A limit of a day lasts for hours; it may have been raised meanwhile. */
const LONGEST_WAIT_SECONDS = 300;

/**
 * Bulk work becomes commands. What a worker that died had in hand is given to another within seconds.
 */
@Processor(JOBS, { lockDuration: 10_000, stalledInterval: 5_000, maxStalledCount: 100 })
export class WorkProcessor extends DrainingWorkerHost implements OnApplicationBootstrap {
  constructor(
    private readonly commands: CommandBus,
    @Inject(CONFIG) private readonly config: Config,
  ) {
    super();
  }

  /** Chunks enough for all face threads, and one more: while it writes to the database, the others have the processors. */
  onApplicationBootstrap(): void {
    this.worker.concurrency = 1 + Math.ceil(this.config.faceWorkers / PHOTOS_A_CHUNK);
  }

  async process(job: Job<WorkJob>, token?: string): Promise<void> {
    const jobId = asId<'job'>(job.data.jobId);
    const { chunk } = job.data;
    if (chunk !== undefined && !Number.isSafeInteger(chunk)) throw new TypeError('no such chunk');
    try {
      await runInContext({ requestId: `job-${jobId}` }, () =>
        this.commands.execute(chunk === undefined ? new PrepareJob(jobId) : new WorkChunk(jobId, chunk)),
      );
    } catch (error) {
      if (!(error instanceof OpeningsLimited)) throw error;
      // To ask before would be refused, and each refusal is on record.
      const seconds = Math.min(LONGEST_WAIT_SECONDS, error.retryAfterSeconds ?? 1);
      await job.moveToDelayed(Date.now() + seconds * 1_000, token);
      throw new DelayedError();
    }
  }
}
