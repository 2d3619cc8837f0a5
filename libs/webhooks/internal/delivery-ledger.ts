import { AuditLog } from '#audit/audit-log';
import type { ClientId, DeliveryId, WebhookId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { DeliveryFailure, WebhookEventType } from '../webhook.js';

/** A delivery that this worker, and no other, may send now, with its webhook's encrypted address and secret. */
export interface OpenDelivery {
  readonly id: DeliveryId;
  readonly type: WebhookEventType;
  readonly body: string;
  /** With this one. */
  readonly attempts: number;
  readonly webhookId: WebhookId;
  readonly clientId: ClientId;
  readonly url: Buffer;
  readonly secret: Buffer;
}

export interface FailedAttempt {
  readonly code: DeliveryFailure;
  readonly status?: number;
}

/**
 * The table `webhook_delivery`: what every attempt begins and ends by. The end of an attempt counts only if no later one
 * has begun.
 */
@Injectable()
export class DeliveryLedger {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
  ) {}

  /** Undefined unless the delivery is due and nobody else sends it. Who dies keeps it for `leaseSeconds`. */
  async begin(id: DeliveryId, leaseSeconds: number): Promise<OpenDelivery | undefined> {
    const [rows] = await this.db.query<[OpenDelivery[], number]>(
      `UPDATE webhook_delivery AS delivery
       SET attempts = attempts + 1, attempted_at = now(), leased_until = now() + make_interval(secs => $2)
       FROM webhook
       WHERE delivery.id = $1 AND state = 'waiting' AND due_at <= now()
         AND (leased_until IS NULL OR leased_until < now())
         AND webhook.id = delivery.webhook_id AND webhook.disabled_at IS NULL
       RETURNING delivery.id, delivery.type, delivery.body, delivery.attempts, delivery.webhook_id AS "webhookId",
                 webhook.client_id AS "clientId", webhook.url, webhook.secret`,
      [id, leaseSeconds],
    );
    return rows[0];
  }

  async delivered({ id, attempts }: OpenDelivery, status: number): Promise<void> {
    await this.db.query(
      `UPDATE webhook_delivery
       SET state = 'delivered', status = $3, code = NULL, leased_until = NULL, ended_at = now()
       WHERE id = $1 AND attempts = $2 AND state = 'waiting'`,
      [id, attempts, status],
    );
  }

  /** Without `retryMs` there is no further attempt. */
  async failed(
    { id, attempts }: OpenDelivery,
    { code, status }: FailedAttempt,
    retryMs: number | undefined,
  ): Promise<void> {
    await this.db.query(
      `UPDATE webhook_delivery
       SET code = $3, status = $4, handed_at = NULL, leased_until = NULL,
           state = CASE WHEN $5::bigint IS NULL THEN 'given_up' ELSE 'waiting' END,
           ended_at = CASE WHEN $5::bigint IS NULL THEN now() END,
           due_at = CASE WHEN $5::bigint IS NULL THEN due_at ELSE now() + $5 * interval '1 millisecond' END
       WHERE id = $1 AND attempts = $2 AND state = 'waiting'`,
      [id, attempts, code, status ?? null, retryMs ?? null],
    );
  }

  /** The receiver wants no more: the webhook is disabled, and what waits for it given up. */
  async gone(delivery: OpenDelivery, status: number): Promise<void> {
    const { id, webhookId, clientId } = delivery;
    await this.db.transaction(async (tx) => {
      const [, disabled] = await tx.query<[unknown[], number]>(
        'UPDATE webhook SET disabled_at = now() WHERE id = $1 AND disabled_at IS NULL',
        [webhookId],
      );
      if (disabled === 0) return;
      await tx.query(
        `UPDATE webhook_delivery
         SET state = 'given_up', ended_at = now(), leased_until = NULL,
             code = CASE WHEN id = $2 THEN 'gone' ELSE 'webhook_disabled' END,
             status = CASE WHEN id = $2 THEN $3 ELSE status END
         WHERE webhook_id = $1 AND state = 'waiting'`,
        [webhookId, id, status],
      );
      const details = { webhookId };
      await this.audit.append(tx, { type: 'webhook.disabled', outcome: 'ok', clientId, details });
    });
  }
}
