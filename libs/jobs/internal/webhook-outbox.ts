import { type ClientId, type JobId, newId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';

/** Deliveries that commit with the end of the job that they tell of. */
@Injectable()
export class WebhookOutbox {
  async announce(tx: EntityManager, clientId: ClientId, jobId: JobId): Promise<void> {
    const webhooks = await tx.query<{ id: string }[]>('SELECT id FROM webhook WHERE client_id = $1', [
      clientId,
    ]);
    for (const { id } of webhooks) {
      await tx.query('INSERT INTO webhook_delivery (id, webhook_id, job_id) VALUES ($1, $2, $3)', [
        newId<'message'>(),
        id,
        jobId,
      ]);
    }
  }
}
