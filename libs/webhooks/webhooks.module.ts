import { AuditModule } from '#audit/audit.module';
import type { Config } from '#platform/config';
import { CONFIG } from '#platform/platform.module';
import { Module } from '@nestjs/common';
import { CreateWebhookHandler } from './create-webhook.js';
import { DeleteWebhookHandler } from './delete-webhook.js';
import { DeliverWebhookHandler } from './deliver-webhook.js';
import { FindWebhookHandler } from './find-webhook.js';
import { ForgetDeliveriesHandler } from './forget-deliveries.js';
import { DeliveryLedger } from './internal/delivery-ledger.js';
import { GuardedPost } from './internal/guarded-post.js';
import { ReceiverPolicy } from './internal/receiver-policy.js';
import { WebhookStore } from './internal/webhook-store.js';
import { ListWebhooksHandler } from './list-webhooks.js';
import { TakeDueDeliveriesHandler } from './take-due-deliveries.js';
import { TestWebhookHandler } from './test-webhook.js';
import { WebhookOutbox } from './webhook-outbox.js';

@Module({
  imports: [AuditModule],
  providers: [
    {
      provide: ReceiverPolicy,
      inject: [CONFIG],
      useFactory: ({ webhookAllowedNetworks }: Config) => new ReceiverPolicy(webhookAllowedNetworks),
    },
    {
      provide: GuardedPost,
      inject: [ReceiverPolicy, CONFIG],
      useFactory: (policy: ReceiverPolicy, { webhookTimeoutSeconds }: Config) =>
        new GuardedPost(policy, { timeoutMs: webhookTimeoutSeconds * 1_000 }),
    },
    CreateWebhookHandler,
    DeleteWebhookHandler,
    DeliverWebhookHandler,
    DeliveryLedger,
    FindWebhookHandler,
    ForgetDeliveriesHandler,
    ListWebhooksHandler,
    TakeDueDeliveriesHandler,
    TestWebhookHandler,
    WebhookOutbox,
    WebhookStore,
  ],
  exports: [WebhookOutbox],
})
export class WebhooksModule {}
