import { Outbox } from '#platform/outbox';
import { type MessageJob, MESSAGES } from '#platform/queues';
import { RepeatedTask } from '#platform/repeated-task';
import { InjectQueue } from '@nestjs/bullmq';
import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { Queue } from 'bullmq';
import { DataSource } from 'typeorm';

const PERIOD_MS = 200;
const AT_ONCE = 100;

/** A message handed over this long ago and still not done was lost with Redis, or its worker died: again. */
const STALE_SECONDS = 30;

/** Hands what the outbox holds to the queue. PostgreSQL keeps a message until it is done, whatever Redis forgets. */
@Injectable()
export class OutboxRelay implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly task = new RepeatedTask('outbox', PERIOD_MS, () => this.relay());

  constructor(
    private readonly db: DataSource,
    private readonly outbox: Outbox,
    @InjectQueue(MESSAGES) private readonly queue: Queue<MessageJob>,
  ) {}

  onApplicationBootstrap(): void {
    this.task.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.task.stop();
  }

  private async relay(): Promise<void> {
    // Handing over happens inside the transaction: if Redis refuses, the messages stay untaken.
    await this.db.transaction(async (tx) => {
      const taken = await this.outbox.take(tx, AT_ONCE, STALE_SECONDS);
      if (taken.length === 0) return;
      await this.queue.addBulk(
        taken.map((message) => ({
          name: message.type,
          data: { id: message.id },
          opts: {
            jobId: message.id,
            attempts: 8,
            backoff: { type: 'exponential', delay: 250 },
            ...KEEP_NOTHING,
          },
        })),
      );
    });
  }
}

/** A job that stayed in Redis would keep its id, and with it a later delivery of the same message, out. */
const KEEP_NOTHING = { removeOnComplete: true, removeOnFail: true } as const;
