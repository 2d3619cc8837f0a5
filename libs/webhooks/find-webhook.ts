import type { ClientId, DeliveryId, WebhookId } from '#platform/ids';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { WebhookStore } from './internal/webhook-store.js';
import {
  DELIVERIES_SHOWN,
  type DeliveryFailure,
  type DeliveryState,
  type DeliveryView,
  type WebhookEventType,
  type WebhookView,
} from './webhook.js';

export interface WebhookWithDeliveries extends WebhookView {
  /** The last ones, newest first. */
  readonly deliveries: readonly DeliveryView[];
}

export class FindWebhook extends Query<WebhookWithDeliveries> {
  constructor(
    readonly clientId: ClientId,
    readonly webhookId: WebhookId,
  ) {
    super();
  }
}

interface DeliveryRow {
  readonly id: DeliveryId;
  readonly type: WebhookEventType;
  readonly state: DeliveryState;
  readonly attempts: number;
  readonly status: number | null;
  readonly code: DeliveryFailure | null;
  readonly created_at: Date;
  readonly attempted_at: Date | null;
  readonly due_at: Date;
}

@QueryHandler(FindWebhook)
export class FindWebhookHandler implements IQueryHandler<FindWebhook> {
  constructor(
    private readonly db: DataSource,
    private readonly webhooks: WebhookStore,
  ) {}

  async execute({ clientId, webhookId }: FindWebhook): Promise<WebhookWithDeliveries> {
    const webhook = await this.webhooks.require(clientId, webhookId);
    const rows = await this.db.query<DeliveryRow[]>(
      `SELECT id, type, state, attempts, status, code, created_at, attempted_at, due_at
       FROM webhook_delivery WHERE webhook_id = $1 ORDER BY id DESC LIMIT $2`,
      [webhookId, DELIVERIES_SHOWN],
    );
    return { ...this.webhooks.show(webhook), deliveries: rows.map(showDelivery) };
  }
}

function showDelivery({ created_at, attempted_at, due_at, ...shown }: DeliveryRow): DeliveryView {
  const nextAttemptAt = shown.state === 'waiting' ? due_at : null;
  return { ...shown, createdAt: created_at, attemptedAt: attempted_at, nextAttemptAt };
}
