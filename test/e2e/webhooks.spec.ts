import { afterAll, beforeAll, expect, test } from 'vitest';
import { Stack } from '../harness/stack.js';
import { ok } from '../harness/story.js';
import { TestClient } from '../harness/test-client.js';
import { WebhookReceiver } from '../harness/webhook-receiver.js';
import { createWebhook, lastDelivery } from '../harness/webhooks.js';

let stack: Stack;
let client: TestClient;
let receiver: WebhookReceiver;

beforeAll(async () => {
  stack = await Stack.start({
    worker: true,
    env: { WEBHOOK_ALLOWED_NETWORKS: '127.0.0.1/32', WEBHOOK_RETRY_MS: '100', LOG_LEVEL: 'debug' },
  });
  receiver = await WebhookReceiver.start();
  client = await TestClient.create(stack);
});

afterAll(async () => {
  await stack.stop();
  await receiver.stop();
});

test('a webhook is created with a secret that no other call shows, and deleted', async () => {
  const fresh = await TestClient.create(stack);
  const body = { url: receiver.url, description: 'Payroll' };
  const { secret, ...webhook } = ok(await fresh.post('/v1/webhooks', body));
  expect(secret).toMatch(/^whsec_[\w+/]{43}=$/);
  expect(webhook).toEqual({
    ...body,
    id: expect.any(String),
    state: 'active',
    createdAt: expect.any(String),
  });
  const shown = [await fresh.get('/v1/webhooks'), await fresh.get(`/v1/webhooks/${webhook.id}`)].map(ok);
  expect(shown).toEqual([
    { items: [webhook], nextCursor: null },
    { ...webhook, deliveries: [] },
  ]);
  expect((await fresh.delete(`/v1/webhooks/${webhook.id}`)).status).toBe(204);
  expect((await fresh.get(`/v1/webhooks/${webhook.id}`)).body.code).toBe('webhook_not_found');
  const audited = ok(await fresh.get('/v1/admin/audit-events?limit=5')).items;
  expect(audited.filter((event: { type: string }) => event.type.startsWith('webhook.'))).toEqual([
    expect.objectContaining({ type: 'webhook.deleted', details: { webhookId: webhook.id } }),
    expect.objectContaining({ type: 'webhook.created', details: { webhookId: webhook.id } }),
  ]);
});

test('the same request with its Idempotency-Key makes one webhook and answers the same secret', async () => {
  const fresh = await TestClient.create(stack);
  const key = { 'idempotency-key': 'webhook-1' };
  const [first, again] = [
    await fresh.post('/v1/webhooks', { url: receiver.url }, key),
    await fresh.post('/v1/webhooks', { url: receiver.url }, key),
  ];
  expect(ok(again)).toEqual(ok(first));
  expect(ok(await fresh.get('/v1/webhooks')).items).toHaveLength(1);
  const other = await fresh.post('/v1/webhooks', { url: `${receiver.url}?other` }, key);
  expect(other.body.code).toBe('idempotency_key_reused');
});

test('a client has ten webhooks at the most, also when it asks for twelve at once', async () => {
  const fresh = await TestClient.create(stack);
  const answers = await Promise.all(
    Array.from({ length: 12 }, () => fresh.post('/v1/webhooks', { url: receiver.url })),
  );
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(10);
  expect(answers.filter(({ body }) => body.code === 'too_many_webhooks')).toHaveLength(2);
  expect(ok(await fresh.get('/v1/webhooks?limit=4')).items).toHaveLength(4);
});

test.each([
  ['https://10.0.0.1/hook', 'webhook_address_refused'],
  ['https://0x7f.0.0.2/hook', 'webhook_address_refused'],
  ['https://169.254.169.254/latest/meta-data/', 'webhook_address_refused'],
  ['https://[::1]/hook', 'webhook_address_refused'],
  ['https://[::ffff:127.0.0.1]/hook', 'webhook_address_refused'],
  ['http://127.0.0.2/hook', 'webhook_address_refused'],
  ['http://hooks.example.com/hook', 'webhook_url_refused'],
  ['https://user:password@hooks.example.com/', 'webhook_url_refused'],
  ['javascript:alert(1)', 'webhook_url_refused'],
])('a webhook to %s is refused: %s', async (url, code) => {
  const refused = await client.post('/v1/webhooks', { url });
  expect([refused.status, refused.body.code]).toEqual([422, code]);
});

test('a test is sent once, on the way of all deliveries, and its end is shown', async () => {
  const { id } = await createWebhook(client, receiver.url);
  receiver.answer = (response) => response.writeHead(503).end();
  const sent = ok(await client.post(`/v1/webhooks/${id}/test`));
  const shown = await lastDelivery(client, id, { state: 'given_up' });
  expect(shown).toEqual({
    id: sent.id,
    type: 'webhook.test',
    state: 'given_up',
    attempts: 1,
    status: 503,
    code: 'not_accepted',
    createdAt: expect.any(String),
    attemptedAt: expect.any(String),
    nextAttemptAt: null,
  });
  const came = receiver.received.filter((each) => each.id === sent.id);
  expect(came.map(({ body }) => body)).toEqual([
    { type: 'webhook.test', timestamp: expect.any(String), data: { webhookId: id } },
  ]);
});

test('a second test waits for the first', async () => {
  const { id } = await createWebhook(client, receiver.url);
  const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
  receiver.answer = (response) => void answered.then(() => response.end());
  ok(await client.post(`/v1/webhooks/${id}/test`));
  const second = await client.post(`/v1/webhooks/${id}/test`);
  expect([second.status, second.body.code]).toEqual([409, 'webhook_test_waiting']);
  answer();
  await lastDelivery(client, id, { state: 'delivered' });
  const third = ok(await client.post(`/v1/webhooks/${id}/test`));
  await lastDelivery(client, id, { id: third.id, state: 'delivered' });
});

test('who answers 410 is told nothing more: the webhook is disabled', async () => {
  const { id } = await createWebhook(client, receiver.url);
  receiver.answer = (response) => response.writeHead(410).end();
  ok(await client.post(`/v1/webhooks/${id}/test`));
  await lastDelivery(client, id, { state: 'given_up', status: 410, code: 'gone' });
  expect(ok(await client.get(`/v1/webhooks/${id}`)).state).toBe('disabled');
  expect((await client.post(`/v1/webhooks/${id}/test`)).body.code).toBe('webhook_disabled');
  const events = ok(await client.get('/v1/admin/audit-events?type=webhook.disabled')).items;
  expect(events[0].details).toEqual({ webhookId: id });
});

test('a redirection is not followed', async () => {
  const inner = await WebhookReceiver.start();
  const { id } = await createWebhook(client, receiver.url);
  receiver.answer = (response) => response.writeHead(307, { location: inner.url }).end();
  ok(await client.post(`/v1/webhooks/${id}/test`));
  await lastDelivery(client, id, { state: 'given_up', status: 307, code: 'redirected' });
  expect(inner.received).toEqual([]);
  await inner.stop();
});

test('secrets and URLs are in no log line, no audit record, and nowhere readable in the database', async () => {
  receiver.answer = (response) => response.writeHead(204).end();
  const url = `${receiver.url}/path-token-4711?key=query-token-4711`;
  const { secret, id } = await createWebhook(client, url);
  ok(await client.post(`/v1/webhooks/${id}/test`));
  await lastDelivery(client, id, { state: 'delivered' });
  const { rows } = await stack.owner.query(`
    SELECT coalesce(string_agg(each::text, ''), '') AS text FROM (
      SELECT to_jsonb(webhook) || jsonb_build_object('u', encode(url, 'escape'), 's', encode(secret, 'escape'))
        AS each FROM webhook
      UNION ALL SELECT to_jsonb(webhook_delivery) FROM webhook_delivery
      UNION ALL SELECT to_jsonb(audit_event) FROM audit_event) AS everything`);
  for (const text of [stack.log, rows[0].text]) {
    expect(text.length).toBeGreaterThan(1_000);
    for (const hidden of [secret, secret.slice(6, 30), 'token-4711']) expect(text).not.toContain(hidden);
  }
});

test('what was allowed when a webhook was created is judged again whenever it is called', async () => {
  const { id } = await createWebhook(client, receiver.url);
  await stack.worker?.stop();
  const before = receiver.received.length;
  await stack.startWorker({ WEBHOOK_ALLOWED_NETWORKS: '' });
  ok(await client.post(`/v1/webhooks/${id}/test`));
  await lastDelivery(client, id, { state: 'given_up', status: null, code: 'address_refused' });
  expect(receiver.received).toHaveLength(before);
});
