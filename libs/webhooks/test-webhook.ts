import { violates } from '#platform/constraint-violation';
import { type Created, Idempotency, type IdempotentRequest } from '#platform/idempotency';
import type { ClientId, WebhookId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { WebhookStore } from './internal/webhook-store.js';
import { WEBHOOK_TEST } from './webhook.js';
import { WebhookOutbox } from './webhook-outbox.js';
import { WebhookDisabled, WebhookTestWaiting } from './webhooks.errors.js';

/** Sends one message the way all go, once: its end is seen with the webhook. One at a time, or Velum could be a flood. */
export class TestWebhook extends Command<Created<'delivery'>> {
  constructor(
    readonly clientId: ClientId,
    readonly webhookId: WebhookId,
    readonly idempotency?: IdempotentRequest,
  ) {
    super();
  }
}

@CommandHandler(TestWebhook)
export class TestWebhookHandler implements ICommandHandler<TestWebhook> {
  constructor(
    private readonly idempotency: Idempotency,
    private readonly webhooks: WebhookStore,
    private readonly outbox: WebhookOutbox,
  ) {}

  async execute({ clientId, webhookId, idempotency }: TestWebhook): Promise<Created<'delivery'>> {
    try {
      return await this.idempotency.transaction(idempotency, async (tx) => {
        const webhook = await this.webhooks.hold(tx, clientId, webhookId);
        if (webhook.disabled_at !== null) throw new WebhookDisabled();
        const event = { type: WEBHOOK_TEST, at: new Date(), data: { webhookId } } as const;
        return { id: await this.outbox.add(tx, webhookId, event) };
      });
    } catch (error) {
      if (violates(error, 'webhook_delivery_one_test')) throw new WebhookTestWaiting();
      throw error;
    }
  }
}
