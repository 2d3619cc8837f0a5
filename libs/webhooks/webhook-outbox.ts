import { type ClientId, type DeliveryId, newId, type WebhookId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { WebhookEvent } from './webhook.js';

/** Deliveries that commit with what they tell of; the worker sends each until its receiver accepts it. */
@Injectable()
export class WebhookOutbox {
  /** To all webhooks of a client. One that was disabled is told nothing, whatever goes on in its name. */
  async announce(tx: EntityManager, clientId: ClientId, event: WebhookEvent): Promise<void> {
    // Held until `tx` ends: a webhook that is deleted meanwhile would undo the end of a job, one that is disabled would
    // keep a delivery that nobody sends.
    const webhooks = await tx.query<{ id: WebhookId }[]>(
      `SELECT webhook.id FROM webhook JOIN client ON client.id = webhook.client_id AND client.disabled_at IS NULL
       WHERE webhook.client_id = $1 AND webhook.disabled_at IS NULL ORDER BY webhook.id FOR SHARE OF webhook`,
      [clientId],
    );
    for (const { id } of webhooks) await this.add(tx, id, event);
  }

  async add(tx: EntityManager, webhookId: WebhookId, { type, at, data }: WebhookEvent): Promise<DeliveryId> {
    const id = newId<'delivery'>();
    await tx.query('INSERT INTO webhook_delivery (id, webhook_id, type, body) VALUES ($1, $2, $3, $4)', [
      id,
      webhookId,
      type,
      JSON.stringify({ type, timestamp: at.toISOString(), data }),
    ]);
    return id;
  }
}
