import { type DeliveryJob, WEBHOOKS } from '#platform/queues';
import { RepeatedTask } from '#platform/repeated-task';
import { TakeDueDeliveries } from '#webhooks/take-due-deliveries';
import { InjectQueue } from '@nestjs/bullmq';
import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { Queue } from 'bullmq';

const PERIOD_MS = 200;

/** Hands deliveries that are due to the queue. PostgreSQL keeps each until it has ended, whatever Redis forgets. */
@Injectable()
export class WebhookRelay implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly task = new RepeatedTask('webhooks', PERIOD_MS, () => this.relay());

  constructor(
    private readonly commands: CommandBus,
    @InjectQueue(WEBHOOKS) private readonly queue: Queue<DeliveryJob>,
  ) {}

  onApplicationBootstrap(): void {
    this.task.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.task.stop();
  }

  private async relay(): Promise<void> {
    const due = await this.commands.execute(new TakeDueDeliveries());
    if (due.length === 0) return;
    await this.queue.addBulk(
      due.map(({ id, attempts }) => ({
        name: 'deliver',
        data: { deliveryId: id },
        // An id for each attempt: the one before may not have left the queue yet.
        opts: { jobId: `${id}-${attempts}`, removeOnComplete: true, removeOnFail: true },
      })),
    );
  }
}
