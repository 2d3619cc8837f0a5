import { ListWork } from '#jobs/list-work';
import { JOBS, type WorkJob } from '#platform/queues';
import { RepeatedTask } from '#platform/repeated-task';
import { InjectQueue } from '@nestjs/bullmq';
import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import type { Queue } from 'bullmq';

const PERIOD_MS = 200;

/** Less than this waits in the queue: it is filled again from PostgreSQL, before the workers run dry. */
const LOW_WATER = 128;

/**
 * Keeps the queue of bulk work filled from PostgreSQL, which alone knows what is still to be done: a queue that Redis
 * lost is filled again, and one whose jobs are many does not grow.
 */
@Injectable()
export class WorkRelay implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly task = new RepeatedTask('work', PERIOD_MS, () => this.relay());

  constructor(
    private readonly queries: QueryBus,
    @InjectQueue(JOBS) private readonly queue: Queue<WorkJob>,
  ) {}

  onApplicationBootstrap(): void {
    this.task.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.task.stop();
  }

  private async relay(): Promise<void> {
    if ((await this.queue.getWaitingCount()) >= LOW_WATER) return;
    const work = await this.queries.execute(new ListWork());
    // What is in the queue already, or being worked on, has its id there and is left alone.
    await this.queue.addBulk(
      work.map(({ jobId, chunk }) => ({
        name: chunk === undefined ? 'prepare' : 'chunk',
        data: { jobId, ...(chunk === undefined ? {} : { chunk }) },
        opts: {
          jobId: chunk === undefined ? `${jobId}-input` : `${jobId}-${chunk}`,
          attempts: 6,
          backoff: { type: 'exponential', delay: 250 },
          removeOnComplete: true,
          removeOnFail: true,
        },
      })),
    );
  }
}
