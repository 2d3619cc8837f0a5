import { expect } from 'vitest';
import { ok } from './story.js';
import type { Json, TestClient } from './test-client.js';

export async function createWebhook(client: TestClient, url: string): Promise<Json> {
  return ok(await client.post('/v1/webhooks', { url }));
}

/** The newest delivery of a webhook, once it is as wanted. */
export async function lastDelivery(client: TestClient, webhookId: string, wanted: object): Promise<Json> {
  let delivery: Json;
  await expect
    .poll(
      async () => {
        [delivery] = ok(await client.get(`/v1/webhooks/${webhookId}`)).deliveries;
        return delivery;
      },
      { timeout: 30_000, interval: 50 },
    )
    .toMatchObject(wanted);
  return delivery;
}
