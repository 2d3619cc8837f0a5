import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { endedJob, linesOf, startJob } from '../harness/jobs.js';
import { Stack } from '../harness/stack.js';
import { createGallery, embedding, ok } from '../harness/story.js';
import { TestClient } from '../harness/test-client.js';
import { isSigned, WebhookReceiver } from '../harness/webhook-receiver.js';
import { createWebhook, lastDelivery } from '../harness/webhooks.js';

let stack: Stack;
let client: TestClient;
let receiver: WebhookReceiver;

beforeAll(async () => {
  stack = await Stack.start({
    worker: true,
    env: { WEBHOOK_ALLOWED_NETWORKS: '127.0.0.1/32', WEBHOOK_RETRY_MS: '500' },
  });
  client = await TestClient.create(stack);
  receiver = await WebhookReceiver.start();
});

afterAll(async () => {
  await stack.stop();
  await receiver.stop();
});

async function loseWorkerAndRedis(): Promise<void> {
  await stack.worker?.stop('SIGKILL');
  const redis = new Redis(stack.redisUrl);
  await redis.flushall();
  redis.disconnect();
}

/** As if the time had passed for which a worker that is dead has a delivery for itself. */
async function passLeases(): Promise<void> {
  await stack.owner.query(
    `UPDATE webhook_delivery SET handed_at = handed_at - interval '31 seconds',
       leased_until = leased_until - interval '31 seconds'`,
  );
}

test('a delivery survives kill -9 and the loss of Redis, between attempts and in the middle of one', async () => {
  const { id, secret } = await createWebhook(client, receiver.url);
  const gallery = await createGallery(client, { model: 'mine', dimension: 128 });
  receiver.answer = (response) => response.writeHead(500).end();
  const job = ok(await startJob(client, gallery, 'identify', linesOf([{ embedding: embedding(1) }])));
  await endedJob(client, job.id);
  const failed = await lastDelivery(client, id, { state: 'waiting', code: 'not_accepted' });
  await loseWorkerAndRedis();
  await passLeases();

  receiver.answer = () => undefined;
  const before = receiver.received.length;
  await stack.startWorker();
  await expect.poll(() => receiver.received.length, { timeout: 30_000 }).toBeGreaterThan(before);
  await loseWorkerAndRedis();
  const held = await lastDelivery(client, id, { state: 'waiting' });
  expect(held.attempts).toBeGreaterThan(failed.attempts);

  await passLeases();
  receiver.answer = (response) => response.writeHead(204).end();
  await stack.startWorker();
  const delivered = await lastDelivery(client, id, { state: 'delivered' });
  expect(delivered.attempts).toBe(held.attempts + 1);
  expect(new Set(receiver.received.map((each) => each.id))).toEqual(new Set([delivered.id]));
  expect(receiver.received.map(({ body }) => body.data.jobId)).toEqual(receiver.received.map(() => job.id));
  expect(receiver.received.every((each) => isSigned(each, secret))).toBe(true);
});

test('a delivery that is in hand or not due is not sent, whatever stands in the queue', async () => {
  const { id } = await createWebhook(client, receiver.url);
  const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
  receiver.answer = (response) => void answered.then(() => response.writeHead(204).end());
  const sent = ok(await client.post(`/v1/webhooks/${id}/test`));
  const attempts = (): number => receiver.received.filter((each) => each.id === sent.id).length;
  await expect.poll(attempts, { timeout: 30_000 }).toBe(1);
  await forge(sent.id);
  answer();
  await lastDelivery(client, id, { state: 'delivered', attempts: 1 });
  await forge(sent.id);
  await stack.owner.query(
    `UPDATE webhook_delivery SET state = 'waiting', due_at = now() + interval '1 hour' WHERE id = $1`,
    [sent.id],
  );
  await forge(sent.id);
  expect(attempts()).toBe(1);
});

/** Puts a delivery on the queue three times, as who can write to Redis may, and waits until the worker took them. */
async function forge(deliveryId: string): Promise<void> {
  const queue = new Queue('velum-webhooks', { connection: { url: stack.redisUrl } });
  const jobs = await Promise.all([1, 2, 3].map(() => queue.add('deliver', { deliveryId })));
  const taken = (): Promise<boolean[]> => Promise.all(jobs.map((job) => job.isCompleted()));
  await expect.poll(taken, { timeout: 20_000 }).toEqual([true, true, true]);
  await queue.close();
}
