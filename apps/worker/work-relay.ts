import { ListWork } from '#jobs/list-work';
import { OverwriteErased } from '#jobs/overwrite-erased';
import { JOBS, type WorkJob } from '#platform/queues';
import { RepeatedTask } from '#platform/repeated-task';
import { InjectQueue } from '@nestjs/bullmq';
import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import type { Queue } from 'bullmq';

const PERIOD_MS = 200;

const OVERWRITTEN_EACH_MS = 1_000;

/** Less than this waits in the queue: it is filled again from PostgreSQL, before the workers run dry. */
const LOW_WATER = 128;

/**
 * Keeps the queue of bulk work filled from PostgreSQL, which alone knows what is still to be done: a queue that Redis
 * lost is filled again, and one whose jobs are many does not grow. Of what is not to be done any more it clears the files.
 */
@Injectable()
export class WorkRelay implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly tasks: readonly RepeatedTask[];

  constructor(
    private readonly queries: QueryBus,
    commands: CommandBus,
    @InjectQueue(JOBS) private readonly queue: Queue<WorkJob>,
  ) {
    this.tasks = [
      new RepeatedTask('work', PERIOD_MS, () => this.relay()),
      new RepeatedTask('overwrite-erased', OVERWRITTEN_EACH_MS, async () => {
        await commands.execute(new OverwriteErased());
      }),
    ];
  }

  onApplicationBootstrap(): void {
    for (const task of this.tasks) task.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all(this.tasks.map((task) => task.stop()));
  }

  private async relay(): Promise<void> {
    const full = (await this.queue.getWaitingCount()) >= LOW_WATER;
    const work = await this.queries.execute(new ListWork(full ? 'urgent' : undefined));
    // What is in the queue already, or being worked on, has its id there and is left alone.
    await this.queue.addBulk(
      work.map(({ jobId, chunk, urgent }) => ({
        name: chunk === undefined ? 'prepare' : 'chunk',
        data: { jobId, ...(chunk === undefined ? {} : { chunk }) },
        opts: {
          // One that waits already is overtaken by the urgent one of the same job, and then finds nothing to do.
          jobId: chunk === undefined ? `${jobId}-${urgent ? 'urgent' : 'input'}` : `${jobId}-${chunk}`,
          lifo: urgent,
          attempts: 6,
          backoff: { type: 'exponential', delay: 250 },
          removeOnComplete: true,
          removeOnFail: true,
        },
      })),
    );
  }
}
