import { AuditLog } from '#audit/audit-log';
import type { ClientId, WebhookId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { WebhookNotFound } from './webhooks.errors.js';

/** What still waits to be delivered goes with it; an attempt under way may still arrive. */
export class DeleteWebhook extends Command<void> {
  constructor(
    readonly clientId: ClientId,
    readonly webhookId: WebhookId,
  ) {
    super();
  }
}

@CommandHandler(DeleteWebhook)
export class DeleteWebhookHandler implements ICommandHandler<DeleteWebhook> {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
  ) {}

  async execute({ clientId, webhookId }: DeleteWebhook): Promise<void> {
    await this.db.transaction(async (tx) => {
      const [, deleted] = await tx.query<[unknown[], number]>(
        'DELETE FROM webhook WHERE id = $1 AND client_id = $2',
        [webhookId, clientId],
      );
      if (deleted === 0) throw new WebhookNotFound();
      await this.audit.append(tx, {
        type: 'webhook.deleted',
        outcome: 'ok',
        clientId,
        details: { webhookId },
      });
    });
  }
}
