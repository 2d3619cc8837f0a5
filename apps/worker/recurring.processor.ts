import { ForgetExpiredTokens } from '#auth/forget-expired-tokens';
import { ExpireConsents } from '#consent/expire-consents';
import { Idempotency } from '#platform/idempotency';
import { Outbox } from '#platform/outbox';
import { RECURRING } from '#platform/queues';
import { InjectQueue, Processor, WorkerHost } from '@nestjs/bullmq';
import { type OnApplicationBootstrap } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { Job, Queue } from 'bullmq';

const SECOND = 1_000;

/** What is done again and again; BullMQ's schedulers see to it that one worker does it each time. */
@Processor(RECURRING)
export class RecurringProcessor extends WorkerHost implements OnApplicationBootstrap {
  private readonly tasks: Readonly<Record<string, { every: number; run: () => Promise<unknown> }>>;

  constructor(
    @InjectQueue(RECURRING) private readonly queue: Queue,
    commands: CommandBus,
    idempotency: Idempotency,
    outbox: Outbox,
  ) {
    super();
    this.tasks = {
      'expire-consents': { every: 10 * SECOND, run: () => commands.execute(new ExpireConsents()) },
      'forget-expired-tokens': {
        every: 3_600 * SECOND,
        run: () => commands.execute(new ForgetExpiredTokens()),
      },
      'forget-idempotency-keys': { every: 3_600 * SECOND, run: () => idempotency.forgetOld() },
      'forget-delivered-messages': { every: 3_600 * SECOND, run: () => outbox.forgetDone() },
    };
  }

  async onApplicationBootstrap(): Promise<void> {
    for (const [name, { every }] of Object.entries(this.tasks)) {
      await this.queue.upsertJobScheduler(
        name,
        { every },
        { name, opts: { removeOnComplete: true, removeOnFail: 10 } },
      );
    }
  }

  async process(job: Job): Promise<void> {
    await this.tasks[job.name]?.run();
  }
}
