import { asId } from '#platform/ids';
import { type DeliveryJob, WEBHOOKS } from '#platform/queues';
import { runInContext } from '#platform/request-context';
import { DeliverWebhook } from '#webhooks/deliver-webhook';
import { Processor } from '@nestjs/bullmq';
import { CommandBus } from '@nestjs/cqrs';
import type { Job } from 'bullmq';
import { DrainingWorkerHost } from './draining-worker-host.js';

/** Many at once: a delivery mostly waits for its receiver, up to the whole of WEBHOOK_TIMEOUT_SECONDS. */
@Processor(WEBHOOKS, { concurrency: 50 })
export class WebhookProcessor extends DrainingWorkerHost {
  constructor(private readonly commands: CommandBus) {
    super();
  }

  async process(job: Job<DeliveryJob>): Promise<void> {
    const id = asId<'delivery'>(job.data.deliveryId);
    await runInContext({ requestId: `delivery-${id}` }, () => this.commands.execute(new DeliverWebhook(id)));
  }
}
