import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { endedJob, linesOf, startJob } from '../harness/jobs.js';
import { documentedMetrics, documentedStages, Metrics } from '../harness/metrics.js';
import { Stack } from '../harness/stack.js';
import { consentingSubject, createGallery, embedding, enrol, identify, ok } from '../harness/story.js';
import { type Json, TestClient } from '../harness/test-client.js';

const GROUP_PHOTOGRAPH = join(
  dirname(createRequire(import.meta.url).resolve('@vladmandic/face-api/package.json')),
  'demo/sample2.jpg',
);

let stack: Stack;
let client: TestClient;

const ofApi = (): Promise<Metrics> => Metrics.of(stack.apis[0]?.internalUrl);
const ofWorker = (): Promise<Metrics> => Metrics.of(stack.worker?.internalUrl);

async function status(address: string, method = 'GET'): Promise<number> {
  return (await fetch(address, { method })).status;
}

beforeAll(async () => {
  stack = await Stack.start({ env: { RATE_LIMIT_CLIENT_PER_MINUTE: '100' } });
  client = await TestClient.create(stack);
});

afterAll(() => stack.stop());

test('what waits is told by the API while there is no worker, and what was done by the worker that did it', async () => {
  const gallery = await createGallery(client);
  const people = await Promise.all([1, 2, 3].map(() => consentingSubject(client)));
  const lines = people.map(({ subjectId }, i) => ({ subjectId, embedding: embedding(i) }));
  const { id } = ok(await startJob(client, gallery, 'enrol', linesOf([...lines, { subject: 'misspelt' }])));
  const before = await ofApi();
  expect(before.value('velum_jobs', { type: 'enrol', state: 'received' })).toBe(1);
  expect(before.value('velum_jobs_oldest_seconds', { type: 'enrol' })).toBeGreaterThan(0);
  expect(before.value('velum_job_items_total')).toBeUndefined();

  await stack.startWorker();
  expect(await endedJob(client, id)).toMatchObject({ done: 3, refused: 1 });
  const after = await ofWorker();
  expect(after.value('velum_job_items_total', { type: 'enrol', outcome: 'done' })).toBe(3);
  expect(after.value('velum_job_items_total', { type: 'enrol', outcome: 'refused' })).toBe(1);
  expect(after.value('velum_job_items_waiting', { type: 'enrol' })).toBe(0);
  for (const stage of ['prepare', 'chunk', 'chunk_transaction', 'seal']) {
    expect([stage, after.value('velum_stage_seconds_count', { stage })]).toEqual([stage, expect.any(Number)]);
  }
  expect(after.value('velum_queue_jobs', { queue: 'velum-jobs', state: 'failed' })).toBe(0);
});

test('a request is told by its route, its stages by name; what the engine holds, and the pads that are left', async () => {
  const gallery = await createGallery(client, { dimension: 128, model: 'mine' });
  const { subjectId } = await consentingSubject(client);
  ok(await enrol(client, gallery, subjectId, embedding(1)));
  ok(await identify(client, gallery, embedding(1)));
  const form = new FormData();
  form.append('photo', new Blob([readFileSync(GROUP_PHOTOGRAPH)]), 'photo.jpg');
  const own = await createGallery(client);
  expect((await client.post(`/v1/galleries/${own}/identify`, form)).body.code).toBe('several_faces');
  // What was read last is told for two seconds.
  await expect.poll(async () => (await ofApi()).value('velum_match_galleries'), { timeout: 10_000 }).toBe(1);
  const metrics = await ofApi();
  const labels = { method: 'POST', route: '/v1/galleries/:galleryId/identify', status: '200' };
  expect(metrics.value('velum_http_request_seconds_count', labels)).toBe(1);
  for (const stage of ['match_gallery', 'open_scores', 'seal', 'face_wait', 'decode', 'detect']) {
    expect([stage, metrics.value('velum_stage_seconds_count', { stage })]).toEqual([
      stage,
      expect.any(Number),
    ]);
  }
  expect(metrics.value('velum_problems_total', { code: 'several_faces' })).toBe(1);
  // 2,048 masks of 128 words, and the first 128 slots of one segment.
  expect(metrics.value('velum_match_memory_bytes', { kind: 'masks' })).toBeGreaterThan(2_048 * 128 * 4);
  expect(metrics.value('velum_match_memory_bytes', { kind: 'rows' })).toBeGreaterThan(128 * 128 * 4);
  expect(metrics.value('velum_seal_pad_bytes')).toBeGreaterThanOrEqual(2_048 * 128 * 4);
  const { rows } = await stack.owner.query('SELECT sum(2048 - used)::int AS left FROM custody.segment');
  expect(metrics.value('velum_pads_left')).toBe(rows[0].left);
});

test('a client that asks too often is counted', async () => {
  let last = 200;
  while (last === 200) last = (await client.get('/v1/models')).status;
  expect(last).toBe(429);
  const metrics = await ofApi();
  expect(metrics.value('velum_rate_limited_total', { limit: 'client' })).toBe(1);
  expect(metrics.value('velum_problems_total', { code: 'rate_limited' })).toBe(1);
});

test('nothing in the metrics tells of a person, a gallery, a client or an address', async () => {
  for (const { text } of [await ofApi(), await ofWorker()]) {
    expect(text).not.toMatch(/[0-9a-f]{8}-[0-9a-f]{4}-/);
    expect(text).not.toMatch(/(\d{1,3}\.){3}\d{1,3}/);
  }
});

test('the documentation and the processes agree on every metric and every stage', async () => {
  const documented = documentedMetrics();
  const [api, worker] = [await ofApi(), await ofWorker()];
  for (const [metrics, own] of [
    [api, 'API'],
    [worker, 'worker'],
  ] as const) {
    const rows = documented.filter(({ by }) => by === 'both' || by === own);
    const told = rows.map(({ name }) => ({ name, ...metrics.described.get(name) }));
    expect(told).toEqual(rows.map(({ name, kind, help }) => ({ name, kind, help })));
    const served = [...metrics.described.keys()].filter((name) => name.startsWith('velum_'));
    expect(served.toSorted()).toEqual(
      rows
        .map(({ name }) => name)
        .filter((name) => name.startsWith('velum_'))
        .toSorted(),
    );
    for (const { name, labels } of metrics.samples.filter((sample) => sample.name.startsWith('velum_'))) {
      const row = rows.find((each) => each.name === name.replace(/_(bucket|sum|count)$/, ''));
      expect([name, Object.keys(labels).filter((label) => label !== 'le')]).toEqual([name, row?.labels]);
      if (name === 'velum_stage_seconds_count') expect(documentedStages()).toContain(labels['stage']);
    }
  }
});

test('the dashboard asks only for metrics that are documented', () => {
  const dashboard: Json = JSON.parse(readFileSync('infra/grafana/velum.json', 'utf8'));
  const expressions: string[] = dashboard.panels.flatMap((panel: Json) =>
    (panel.targets ?? []).map(({ expr }: Json) => expr),
  );
  const names = expressions.flatMap((expr) => expr.match(/\b(velum|process|nodejs)_\w+/g) ?? []);
  const documented = documentedMetrics();
  const unknown = names.filter(
    (name) =>
      !documented.some(({ name: known, kind }) =>
        kind === 'histogram' ? name.replace(/_(bucket|sum|count)$/, '') === known : name === known,
      ),
  );
  expect(names.length).toBeGreaterThan(20);
  expect(unknown).toEqual([]);
});

test('metrics are on a port of their own, which serves nothing else', async () => {
  const { url, internalUrl } = stack.apis[0] ?? { url: '', internalUrl: '' };
  expect(await status(`${url}/metrics`)).toBe(404);
  expect(await status(`${internalUrl}/v1/galleries`)).toBe(404);
  expect(await status(`${internalUrl}/constructor`)).toBe(404);
  expect(await status(`${internalUrl}/metrics`, 'POST')).toBe(405);
  expect((await stack.startApi({ METRICS_PORT: 'off' })).internalUrl).toBe('');
});

test('a worker says whether it lives and whether it can work', async () => {
  const url = stack.worker?.internalUrl;
  expect(await (await fetch(`${url}/health`)).json()).toEqual({ status: 'ok' });
  const ready = { status: 'ok', database: 'up', redis: 'up', engine: 'up' };
  expect(await (await fetch(`${url}/health/ready`)).json()).toEqual(ready);
});

test('what cannot be read is absent and counted, and the scrape succeeds all the same', async () => {
  const blocker = await stack.owner.connect();
  await blocker.query('BEGIN; LOCK TABLE custody.segment');
  await stack.owner.query('ALTER TABLE outbox RENAME TO away');
  await stack.redis?.stop();
  try {
    await expect
      .poll(async () => (await ofWorker()).value('velum_queue_jobs'), { timeout: 15_000 })
      .toBeUndefined();
    const metrics = await ofWorker();
    for (const source of stack.redis === undefined ? ['outbox', 'pads'] : ['queues', 'outbox', 'pads']) {
      expect([source, metrics.value('velum_scrape_errors_total', { source })]).toEqual([
        source,
        expect.any(Number),
      ]);
    }
    expect(metrics.value('velum_pads_left')).toBeUndefined();
    expect(metrics.value('velum_outbox_messages')).toBeUndefined();
    expect(metrics.value('velum_jobs')).toBe(0);
    const ready = await fetch(`${stack.worker?.internalUrl}/health/ready`);
    expect([ready.status, await ready.json()]).toEqual([503, expect.objectContaining({ redis: 'down' })]);
  } finally {
    await blocker.query('ROLLBACK');
    blocker.release();
  }
});
