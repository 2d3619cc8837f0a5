import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Metrics } from '../harness/metrics.js';
import { Stack } from '../harness/stack.js';
import { createCredentials, type Credentials, requestToken, TestClient } from '../harness/test-client.js';

const CHROMIUM = '/usr/bin/chromium';
const QUIET = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-sync'];
const QUEUES = ['velum-jobs', 'velum-messages', 'velum-recurring', 'velum-webhooks'];

// On a machine without Debian's chromium this is skipped; .ci/run installs it and insists.
const missing = !existsSync(CHROMIUM) && process.env['CI'] === undefined;

let stack: Stack;
let admin: Credentials;

beforeAll(async () => {
  stack = await Stack.start({ worker: true });
  admin = createCredentials(stack, 'admin:clients galleries:read');
});

afterAll(() => stack.stop());

const basic = ({ clientId, clientSecret }: Credentials): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`,
});

function ask(path: string, headers: Record<string, string> = {}, url = stack.url): Promise<Response> {
  return fetch(`${url}/admin/queues${path}`, { headers });
}

async function refusal(answer: Promise<Response>): Promise<unknown[]> {
  const response = await answer;
  const { code } = await response.json();
  return [response.status, code, response.headers.get('www-authenticate')?.split(' ')[0]];
}

function cookieOf(response: Response): string {
  return response.headers.getSetCookie()[0]?.split(';')[0] ?? '';
}

async function tokensIssued(): Promise<number> {
  const { rows } = await stack.owner.query(
    `SELECT count(*)::int AS n FROM audit_event WHERE type = 'token.issued' AND client_id = $1`,
    [admin.clientId],
  );
  return rows[0].n;
}

const PAGES = ['', '/', '/api/queues', '/queue/velum-jobs', '/static/js/none.js', '/nowhere'];

test('without credentials, or with rubbish, no page is served and a browser is told to ask its user', async () => {
  const rubbish = { clientId: admin.clientId, clientSecret: 'wrong' };
  for (const headers of [
    {},
    { authorization: 'Bearer rubbish' },
    { authorization: 'Basic rubbish' },
    { cookie: 'velum_queues=a.b.c' },
    basic(rubbish),
    basic({ ...rubbish, clientId: 'nobody' }),
  ]) {
    for (const path of PAGES) {
      expect(await refusal(ask(path, headers))).toEqual([401, 'unauthenticated', 'Basic']);
    }
  }
});

test('a token or a client without admin:clients is refused', async () => {
  const other = createCredentials(stack, 'admin:audit jobs:read');
  const { token } = await TestClient.connect(stack.url, other);
  expect(await refusal(ask('', { authorization: `Bearer ${token}` }))).toEqual([
    403,
    'insufficient_scope',
    'Bearer',
  ]);
  expect(await refusal(ask('', basic(other)))).toEqual([403, 'insufficient_scope', 'Bearer']);
  expect((await ask('', basic(other))).headers.getSetCookie()).toEqual([]);
});

test('a token for admin:clients sees the queues, until it is revoked', async () => {
  const { token } = await TestClient.connect(stack.url, admin);
  const headers = { authorization: `Bearer ${token}` };
  const { queues } = await (await ask('/api/queues', headers)).json();
  expect(queues.map(({ name }: { name: string }) => name).toSorted()).toEqual(QUEUES);
  const metrics = await Metrics.of(stack.apis[0]?.internalUrl);
  const labels = { route: '/admin/queues/*path', status: '200' };
  expect(metrics.value('velum_http_request_seconds_count', labels)).toBe(1);
  await fetch(`${stack.url}/oauth/revoke`, {
    method: 'POST',
    headers: basic(admin),
    body: new URLSearchParams({ token }),
  });
  expect(await refusal(ask('/api/queues', headers))).toEqual([401, 'unauthenticated', 'Basic']);
});

test('whoever signs in is given a cookie for this page and this scope only, which is refused once it is revoked', async () => {
  const response = await ask('', basic(admin));
  expect(response.status).toBe(200);
  expect(response.headers.getSetCookie()[0]).toMatch(/Path=\/admin\/queues;.*HttpOnly; SameSite=Strict$/);
  const cookie = cookieOf(response);
  expect((await ask('/api/queues', { cookie })).status).toBe(200);
  const token = cookie.replace('velum_queues=', '');
  const galleries = await new TestClient(stack.url, token).get('/v1/galleries');
  expect([galleries.status, galleries.body.code]).toEqual([403, 'insufficient_scope']);
  await fetch(`${stack.url}/oauth/revoke`, {
    method: 'POST',
    headers: basic(admin),
    body: new URLSearchParams({ token }),
  });
  expect(await refusal(ask('/api/queues', { cookie }))).toEqual([401, 'unauthenticated', 'Basic']);
});

test('nothing can be changed through it', async () => {
  const { body } = await requestToken(stack.url, admin);
  const headers = { authorization: `Bearer ${body.access_token}`, 'content-type': 'application/json' };
  for (const path of [
    '/api/queues/pause',
    '/api/queues/velum-recurring/pause',
    '/api/queues/velum-jobs/clean/waiting',
    '/api/queues/velum-messages/add',
  ]) {
    for (const method of ['PUT', 'POST', 'PATCH', 'DELETE']) {
      const url = `${stack.url}/admin/queues${path}`;
      const refused = await fetch(url, { method, headers, body: '{}' });
      expect([method, path, refused.status]).toEqual([method, path, 404]);
    }
  }
});

test('of an error in Redis the page shows no message: it may quote a value', async () => {
  const queue = new Queue('velum-recurring', { connection: { url: stack.redisUrl } });
  const job = await queue.add('odd', {}, { attempts: 1 });
  const redis = new Redis(stack.redisUrl);
  await expect.poll(() => job.isCompleted(), { timeout: 10_000 }).toBe(true);
  await redis.hset(queue.toKey(job.id ?? ''), {
    failedReason: 'the face of Alice',
    stacktrace: JSON.stringify(['Error: the face of Alice\n    at work (file.js:1:1)']),
  });
  const response = await ask(`/api/queues/velum-recurring/${job.id}`, basic(admin));
  const text = await response.text();
  await queue.close();
  redis.disconnect();
  expect([response.status, text]).toEqual([200, expect.stringContaining('at work (file.js:1:1)')]);
  expect(text).not.toContain('Alice');
});

test('secrets are guessed no faster here than at the token endpoint; what is signed in goes on', async () => {
  const api = await stack.startApi({ RATE_LIMIT_IP_PER_MINUTE: '400' });
  const cookie = cookieOf(await ask('', basic(admin), api.url));
  const wrong = basic({ ...admin, clientSecret: 'wrong' });
  let tries = 0;
  while ((await ask('', wrong, api.url)).status === 401 && tries < 100) tries++;
  // A twentieth of what an address may send.
  expect(tries).toBeLessThanOrEqual(20);
  expect(await refusal(ask('', wrong, api.url))).toEqual([429, 'rate_limited', undefined]);
  expect((await ask('', { ...wrong, cookie }, api.url)).status).toBe(200);
});

test.skipIf(process.env['REDIS_URL'] !== undefined)(
  'while Redis is away the page is refused at once, and the API goes on without it',
  async () => {
    const alone = await Stack.start({ worker: false });
    const { token } = await TestClient.connect(alone.url, createCredentials(alone));
    await alone.redis?.stop();
    const started = performance.now();
    const refused = await ask('/api/queues', { authorization: `Bearer ${token}` }, alone.url);
    expect([refused.status, (await refused.json()).code]).toEqual([503, 'dependency_unavailable']);
    expect(performance.now() - started).toBeLessThan(3_000);
    expect((await fetch(`${alone.url}/health`)).status).toBe(200);
    expect(await alone.apis[0]?.stop('SIGTERM')).toBe(0);
    await alone.stop();
  },
);

describe.skipIf(missing)('in a browser', () => {
  test('an operator signs in once and sees the queues; nothing is loaded from elsewhere', async () => {
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: QUIET });
    const { clientId: username, clientSecret: password } = admin;
    const context = await browser.newContext({
      httpCredentials: { username, password },
      viewport: { width: 1280, height: 900 },
    });
    const page = await context.newPage();
    const complaints: string[] = [];
    const asked: string[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(`${message.text()} ${message.location().url}`);
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('request', (request) => asked.push(new URL(request.url()).origin));
    const before = await tokensIssued();
    await page.goto(`${stack.url}/admin/queues`);
    for (const name of QUEUES) await page.getByText(name).first().waitFor();
    await page.goto(`${stack.url}/admin/queues/queue/velum-recurring?status=delayed`);
    // The first page of ten shows what is due last.
    await page.getByText('forget-expired-tokens').first().waitFor();
    const screenshot = process.env['QUEUE_BOARD_SCREENSHOT'];
    if (screenshot !== undefined) await page.screenshot({ path: screenshot });
    await browser.close();
    expect(new Set(asked)).toEqual(new Set([stack.url]));
    // The first answer to a page without credentials is the 401 that makes the browser ask.
    expect(complaints.filter((text) => !text.includes('401'))).toEqual([]);
    expect((await tokensIssued()) - before).toBe(1);
  });
});
