import { AuditLog } from '#audit/audit-log';
import { Idempotency, type IdempotentRequest } from '#platform/idempotency';
import { type ClientId, newId, type WebhookId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { ReceiverPolicy } from './internal/receiver-policy.js';
import { newSecret } from './internal/signature.js';
import { WebhookStore } from './internal/webhook-store.js';
import { MOST_WEBHOOKS, type WebhookView } from './webhook.js';
import { TooManyWebhooks } from './webhooks.errors.js';

export interface NewWebhook {
  readonly url: string;
  readonly description?: string;
}

/** `secret` signs what is sent. It is told here alone, and again only to the same request with its Idempotency-Key. */
export interface CreatedWebhook extends WebhookView {
  readonly secret: string;
}

export class CreateWebhook extends Command<CreatedWebhook> {
  constructor(
    readonly clientId: ClientId,
    readonly webhook: NewWebhook,
    readonly idempotency?: IdempotentRequest,
  ) {
    super();
  }
}

@CommandHandler(CreateWebhook)
export class CreateWebhookHandler implements ICommandHandler<CreateWebhook> {
  constructor(
    private readonly idempotency: Idempotency,
    private readonly policy: ReceiverPolicy,
    private readonly webhooks: WebhookStore,
    private readonly audit: AuditLog,
  ) {}

  async execute({ clientId, webhook, idempotency }: CreateWebhook): Promise<CreatedWebhook> {
    const url = this.policy.parse(webhook.url).href;
    const created = await this.idempotency.transaction(idempotency, async (tx) => {
      const id: WebhookId = newId<'webhook'>();
      // Two at once would both count nine.
      await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 4))', [clientId]);
      const [own] = await tx.query<{ n: number }[]>(
        'SELECT count(*)::int AS n FROM webhook WHERE client_id = $1',
        [clientId],
      );
      if (own === undefined || own.n >= MOST_WEBHOOKS) throw new TooManyWebhooks();
      await tx.query(
        'INSERT INTO webhook (id, client_id, url, secret, description) VALUES ($1, $2, $3, $4, $5)',
        [
          id,
          clientId,
          this.webhooks.seal(id, 'url', url),
          this.webhooks.seal(id, 'secret', newSecret()),
          webhook.description ?? null,
        ],
      );
      await this.audit.append(tx, {
        type: 'webhook.created',
        outcome: 'ok',
        clientId,
        details: { webhookId: id },
      });
      return { id };
    });
    const row = await this.webhooks.require(clientId, created.id);
    return { ...this.webhooks.show(row), secret: this.webhooks.open(row, 'secret') };
  }
}
