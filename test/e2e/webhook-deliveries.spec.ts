import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { AppProcess } from '../../infra/dev/app-process.js';
import { endedJob, linesOf, startJob } from '../harness/jobs.js';
import { Stack } from '../harness/stack.js';
import { createGallery, embedding, ok } from '../harness/story.js';
import { type Json, TestClient } from '../harness/test-client.js';
import { isSigned, WebhookReceiver } from '../harness/webhook-receiver.js';
import { createWebhook, lastDelivery } from '../harness/webhooks.js';

let stack: Stack;
let client: TestClient;
let galleryId: string;
let receiver: WebhookReceiver;

beforeAll(async () => {
  stack = await Stack.start({
    worker: true,
    env: {
      WEBHOOK_ALLOWED_NETWORKS: '127.0.0.1/32',
      WEBHOOK_RETRY_MS: '50',
      WEBHOOK_TIMEOUT_SECONDS: '3',
    },
  });
});

beforeEach(async () => {
  receiver = await WebhookReceiver.start();
  client = await TestClient.create(stack);
  galleryId = await createGallery(client, { model: 'mine', dimension: 128 });
});

afterEach(() => receiver.stop());

afterAll(() => stack.stop());

async function identifyJob(): Promise<Json> {
  return ok(await startJob(client, galleryId, 'identify', linesOf([{ embedding: embedding(1) }])));
}

const idOf = ({ id }: { id: string }): string => id;

const came = (count: number): Promise<void> =>
  expect
    .poll(() => receiver.received.length, { timeout: 30_000, interval: 20 })
    .toBeGreaterThanOrEqual(count);

test('the end of a job is told with its counts, signed as a receiver checks it', async () => {
  const { secret, id } = await createWebhook(client, receiver.url);
  const job = await endedJob(client, (await identifyJob()).id);
  await came(1);
  const [received] = receiver.received;
  if (received === undefined) throw new Error('nothing came');
  expect(received.body).toEqual({
    type: 'job.ended',
    timestamp: job.endedAt,
    data: {
      jobId: job.id,
      galleryId,
      type: 'identify',
      state: 'ended',
      code: null,
      total: 1,
      done: 1,
      refused: 0,
      failed: 0,
    },
  });
  expect(received.headers['content-type']).toBe('application/json');
  expect(isSigned(received, secret)).toBe(true);
  expect(isSigned({ ...received, text: received.text.replace('"done":1', '"done":2') }, secret)).toBe(false);
  await lastDelivery(client, id, {
    id: received.id,
    type: 'job.ended',
    state: 'delivered',
    attempts: 1,
    status: 204,
  });
});

test('a job whose input is refused and one that is cancelled are told as such', async () => {
  await createWebhook(client, receiver.url);
  const refused = ok(await startJob(client, galleryId, 'identify', '\n'));
  await came(1);
  await stack.worker?.stop();
  const cancelled = await identifyJob();
  ok(await client.post(`/v1/jobs/${cancelled.id}/cancel`));
  await stack.startWorker();
  await came(2);
  expect(
    receiver.received.map(({ body: { type, data } }) => [type, data.jobId, data.state, data.code]),
  ).toEqual([
    ['job.failed', refused.id, 'failed', 'no_items'],
    ['job.cancelled', cancelled.id, 'cancelled', null],
  ]);
});

test('another client is told nothing', async () => {
  const stranger = await TestClient.create(stack);
  const own = await createWebhook(client, receiver.url);
  const theirs = await createWebhook(stranger, receiver.url);
  await identifyJob();
  await lastDelivery(client, own.id, { state: 'delivered' });
  expect(ok(await stranger.get(`/v1/webhooks/${theirs.id}`)).deliveries).toEqual([]);
  expect(receiver.received).toHaveLength(1);
});

test('what fails is sent again under the same id: after an error, no answer in time, a broken connection', async () => {
  const { id, secret } = await createWebhook(client, receiver.url);
  const failures: WebhookReceiver['answer'][] = [
    (response) => response.writeHead(500).end(),
    () => undefined,
    (response) => response.destroy(),
  ];
  receiver.answer = (response, received) => {
    const failure = failures.shift();
    if (failure === undefined) response.writeHead(200).end('thanks');
    else failure(response, received);
  };
  await identifyJob();
  await lastDelivery(client, id, { state: 'delivered', attempts: 4, status: 200, code: null });
  expect(receiver.received).toHaveLength(4);
  expect(new Set(receiver.received.map(idOf)).size).toBe(1);
  expect(new Set(receiver.received.map(({ text }) => text)).size).toBe(1);
  expect(receiver.received.every((each) => isSigned(each, secret))).toBe(true);
});

test('a receiver that was away gets what happened meanwhile when it is back', async () => {
  const { port, url } = receiver;
  await receiver.stop();
  const { id } = await createWebhook(client, url);
  await identifyJob();
  const failed = await lastDelivery(client, id, { code: 'connection_failed' });
  expect(failed).toMatchObject({ state: 'waiting', status: null, nextAttemptAt: expect.any(String) });
  receiver = await WebhookReceiver.start(port);
  await came(1);
  await lastDelivery(client, id, { id: receiver.received[0]?.id, state: 'delivered' });
});

test('after the eighth attempt a delivery is given up, and the webhook shows it', async () => {
  const { id } = await createWebhook(client, receiver.url);
  receiver.answer = (response) => response.writeHead(500).end();
  await identifyJob();
  await lastDelivery(client, id, { state: 'waiting', code: 'not_accepted' });
  // As if six had failed since; between attempts, since one that is under way would count as an earlier one.
  const toTheLast = `UPDATE webhook_delivery SET attempts = 7, due_at = now(), handed_at = NULL
                     WHERE webhook_id = $1 AND attempts < 7 AND leased_until IS NULL`;
  await expect.poll(async () => (await stack.owner.query(toTheLast, [id])).rowCount, { interval: 5 }).toBe(1);
  const given = await lastDelivery(client, id, { state: 'given_up' });
  expect(given).toMatchObject({ attempts: 8, status: 500, code: 'not_accepted', nextAttemptAt: null });
});

test('a deleted webhook is told nothing any more, not even what waits', async () => {
  const { id } = await createWebhook(client, receiver.url);
  receiver.answer = (response) => response.writeHead(500).end();
  await identifyJob();
  await came(1);
  expect((await client.delete(`/v1/webhooks/${id}`)).status).toBe(204);
  const { rows } = await stack.owner.query('SELECT 1 FROM webhook_delivery WHERE webhook_id = $1', [id]);
  expect(rows).toEqual([]);
  const later = await endedJob(client, (await identifyJob()).id);
  expect(receiver.received.filter(({ body }) => body.data.jobId === later.id)).toEqual([]);
});

test('a receiver that never answers has three requests at most, and holds up nobody else', async () => {
  const slow = await WebhookReceiver.start();
  slow.answer = () => undefined;
  await createWebhook(client, slow.url);
  const { id } = await createWebhook(client, receiver.url);
  const jobs = await Promise.all(Array.from({ length: 8 }, identifyJob));
  for (const job of jobs) await endedJob(client, job.id);
  await came(8);
  const told = receiver.received.map(({ body }) => body.data.jobId);
  expect(new Set(told)).toEqual(new Set(jobs.map(idOf)));
  expect(told).toHaveLength(8);
  await lastDelivery(client, id, { state: 'delivered' });
  slow.answer = (response) => response.writeHead(204).end();
  const slowlyTold = (): number => new Set(slow.received.map(idOf)).size;
  await expect.poll(slowlyTold, { timeout: 30_000 }).toBe(8);
  expect(slow.mostOpen).toBeLessThanOrEqual(3);
  await slow.stop();
});

test('two workers send each delivery once', async () => {
  const second = await AppProcess.start('worker', stack.env);
  const hooks = await Promise.all(Array.from({ length: 5 }, () => createWebhook(client, receiver.url)));
  receiver.answer = (response) => void setTimeout(() => response.writeHead(204).end(), 30);
  const jobs = await Promise.all(Array.from({ length: 12 }, identifyJob));
  for (const job of jobs) await endedJob(client, job.id);
  await came(60);
  for (const { id } of hooks) {
    await expect
      .poll(async () => {
        const { deliveries } = ok(await client.get(`/v1/webhooks/${id}`));
        return deliveries.map(({ state, attempts }: Json) => `${state} ${attempts}`);
      })
      .toEqual(Array.from({ length: 12 }, () => 'delivered 1'));
  }
  await wait(500);
  expect(receiver.received).toHaveLength(60);
  expect(new Set(receiver.received.map(idOf)).size).toBe(60);
  await second.stop();
});
