import { type ClientId, type DeliveryId, newId, type WebhookId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { WebhookEvent } from './webhook.js';

/** Deliveries that commit with what they tell of; the worker sends each until its receiver accepts it. */
@Injectable()
export class WebhookOutbox {
  /** To all webhooks of a client. One that was disabled is told nothing, whatever goes on in its name. */
  async announce(tx: EntityManager, clientId: ClientId, event: WebhookEvent): Promise<void> {
    for (const id of await this.hold(tx, clientId)) await this.add(tx, id, event);
  }

  /** The same for many events, in one statement; answers the deliveries of each. */
  async announceEach(
    tx: EntityManager,
    clientId: ClientId,
    events: readonly WebhookEvent[],
  ): Promise<DeliveryId[][]> {
    const webhookIds = await this.hold(tx, clientId);
    const deliveries = events.map((event) =>
      webhookIds.map((webhookId) => ({ id: newId<'delivery'>(), webhookId, event })),
    );
    const all = deliveries.flat();
    await tx.query(
      `INSERT INTO webhook_delivery (id, webhook_id, type, body)
       SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[])`,
      [
        all.map(({ id }) => id),
        all.map(({ webhookId }) => webhookId),
        all.map(({ event }) => event.type),
        all.map(({ event }) => bodyOf(event)),
      ],
    );
    return deliveries.map((own) => own.map(({ id }) => id));
  }

  async add(tx: EntityManager, webhookId: WebhookId, event: WebhookEvent): Promise<DeliveryId> {
    const id = newId<'delivery'>();
    await tx.query('INSERT INTO webhook_delivery (id, webhook_id, type, body) VALUES ($1, $2, $3, $4)', [
      id,
      webhookId,
      event.type,
      bodyOf(event),
    ]);
    return id;
  }

  /** Until `tx` ends: a webhook that is deleted would undo what is told, one that is disabled would keep what nobody sends. */
  private async hold(tx: EntityManager, clientId: ClientId): Promise<WebhookId[]> {
    const webhooks = await tx.query<{ id: WebhookId }[]>(
      `SELECT webhook.id FROM webhook JOIN client ON client.id = webhook.client_id AND client.disabled_at IS NULL
       WHERE webhook.client_id = $1 AND webhook.disabled_at IS NULL ORDER BY webhook.id FOR SHARE OF webhook`,
      [clientId],
    );
    return webhooks.map(({ id }) => id);
  }
}

function bodyOf({ type, at, data }: WebhookEvent): string {
  return JSON.stringify({ type, timestamp: at.toISOString(), data });
}
