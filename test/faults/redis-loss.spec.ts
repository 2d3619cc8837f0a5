import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Stack } from '../harness/stack.js';
import { createGallery, embedding, enrolledPerson, identify, ok } from '../harness/story.js';
import { TestClient } from '../harness/test-client.js';

let stack: Stack;
let client: TestClient;

beforeAll(async () => {
  stack = await Stack.start();
  client = await TestClient.create(stack);
});

afterAll(() => stack.stop());

test('a withdrawal that Redis forgot is carried out all the same', async () => {
  const gallery = await createGallery(client);
  const people = await Promise.all([1, 2, 3].map((i) => enrolledPerson(client, gallery, embedding(i))));
  for (const { consentId } of people) ok(await client.post(`/v1/consents/${consentId}/withdraw`));
  // Handed to the queue, and then lost with it.
  await stack.owner.query(`UPDATE outbox SET relayed_at = now() - interval '31 seconds'`);
  const redis = new Redis(stack.redisUrl);
  await redis.flushall();
  redis.disconnect();
  expect(ok(await identify(client, gallery, embedding(1))).candidates).toEqual([]);
  await stack.startWorker();
  await expect.poll(() => templatesIn(gallery), { timeout: 20_000 }).toBe(0);
  const erased = await stack.owner.query(`SELECT 1 FROM audit_event WHERE type = 'template.erased'`);
  expect(erased.rowCount).toBe(3);
});

test('a message forged in Redis does not decide whose face is erased', async () => {
  const gallery = await createGallery(client);
  const withdrawn = await enrolledPerson(client, gallery, embedding(11));
  const other = await enrolledPerson(client, gallery, embedding(12));
  await stack.worker?.stop();
  ok(await client.post(`/v1/consents/${withdrawn.consentId}/withdraw`));
  const { rows } = await stack.owner.query('SELECT id FROM outbox WHERE done_at IS NULL');
  const queue = new Queue('velum-messages', { connection: { url: stack.redisUrl } });
  const forged = { id: rows[0].id, type: 'consent.ended', payload: { consentId: other.consentId } };
  await queue.add('consent.ended', forged);
  await queue.close();
  await stack.startWorker();
  await expect.poll(() => templatesIn(gallery), { timeout: 20_000 }).toBe(1);
  expect(ok(await identify(client, gallery, embedding(12))).candidates).toHaveLength(1);
});

async function templatesIn(gallery: string): Promise<number> {
  const { rows } = await stack.owner.query('SELECT count(*)::int AS n FROM template WHERE gallery_id = $1', [
    gallery,
  ]);
  return rows[0].n;
}
