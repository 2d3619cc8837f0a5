import type { Config } from '#platform/config';
import type { DeliveryId } from '#platform/ids';
import { CONFIG } from '#platform/platform.module';
import { Inject, Logger } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DeliveryLedger, type FailedAttempt, type OpenDelivery } from './internal/delivery-ledger.js';
import { GuardedPost, type PostOutcome } from './internal/guarded-post.js';
import { MOST_ATTEMPTS, retryDelayMs } from './internal/retry-schedule.js';
import { signatureHeaders } from './internal/signature.js';
import { WebhookStore } from './internal/webhook-store.js';
import { WEBHOOK_TEST } from './webhook.js';

/** More than a receiver may take: what it takes to write down how an attempt ended. */
const LEASE_MARGIN_SECONDS = 20;

/** One attempt to send a delivery, if it is due and nobody else is at it. */
export class DeliverWebhook extends Command<void> {
  constructor(readonly deliveryId: DeliveryId) {
    super();
  }
}

@CommandHandler(DeliverWebhook)
export class DeliverWebhookHandler implements ICommandHandler<DeliverWebhook> {
  private readonly logger = new Logger('webhooks');

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly webhooks: WebhookStore,
    private readonly deliveries: DeliveryLedger,
    private readonly post: GuardedPost,
  ) {}

  async execute({ deliveryId }: DeliverWebhook): Promise<void> {
    const lease = this.config.webhookTimeoutSeconds + LEASE_MARGIN_SECONDS;
    const delivery = await this.deliveries.begin(deliveryId, lease);
    if (delivery === undefined) return;
    const outcome = await this.send(delivery);
    const status = 'status' in outcome ? outcome.status : undefined;
    if (status !== undefined && status >= 200 && status < 300) {
      await this.deliveries.delivered(delivery, status);
      this.logger.log({ message: 'delivered', jobId: delivery.id, attempt: delivery.attempts, status });
      return;
    }
    const attempt = failureOf(outcome);
    // Standard Webhooks: 410 says that the receiver is gone for good.
    if (status === 410) await this.deliveries.gone(delivery, status);
    else await this.deliveries.failed(delivery, attempt, this.retryMs(delivery));
    const logged = { jobId: delivery.id, attempt: delivery.attempts, ...attempt };
    this.logger.warn({ message: 'not delivered', ...logged });
  }

  private send(delivery: OpenDelivery): Promise<PostOutcome> {
    const { id, body, webhookId, url, secret } = delivery;
    const row = { id: webhookId, url, secret };
    const timestamp = Math.floor(Date.now() / 1_000);
    const signature = signatureHeaders(this.webhooks.open(row, 'secret'), { id, timestamp, body });
    const headers = { 'content-type': 'application/json', 'user-agent': 'Velum-Webhooks', ...signature };
    return this.post.send(new URL(this.webhooks.open(row, 'url')), headers, body);
  }

  /** Who tests a webhook looks at what came of it, and tests again. */
  private retryMs({ type, attempts }: OpenDelivery): number | undefined {
    if (type === WEBHOOK_TEST || attempts >= MOST_ATTEMPTS) return undefined;
    return retryDelayMs(this.config.webhookRetryMs, attempts, Math.random());
  }
}

function failureOf(outcome: PostOutcome): FailedAttempt {
  if ('failure' in outcome) return { code: outcome.failure };
  const { status } = outcome;
  if (status === 410) return { code: 'gone', status };
  return { code: status >= 300 && status < 400 ? 'redirected' : 'not_accepted', status };
}
