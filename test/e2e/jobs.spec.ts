import { Queue } from 'bullmq';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { beginUpload, endedJob, endOf, linesOf, results, startJob } from '../harness/jobs.js';
import { Stack } from '../harness/stack.js';
import {
  consentingSubject,
  createGallery,
  embedding,
  enrol,
  enrolledPerson,
  identify,
  ok,
  similar,
} from '../harness/story.js';
import { type Answer, createCredentials, type Json, TestClient } from '../harness/test-client.js';

const NOBODY = '019ac5c0-3c11-7a2e-b1d4-6f7e8d9c0a03';

let stack: Stack;
let client: TestClient;

beforeAll(async () => {
  stack = await Stack.start({ worker: true });
  client = await TestClient.create(stack);
});

afterAll(() => stack.stop());

const spooled = (): string[] => readdirSync(stack.spoolFolder);

test('a bulk enrolment ends each line once: done, or refused with a code', async () => {
  const gallery = await createGallery(client);
  const people = await Promise.all(Array.from({ length: 5 }, () => consentingSubject(client)));
  const stranger = ok(await client.post('/v1/subjects', {}));
  const known = ok(await client.post('/v1/subjects', { reference: 'employee 7' }));
  const [first] = people;
  const lines = [
    // Some systems write ids in capitals.
    ...people.map(({ subjectId, consentId }, i) => ({
      subjectId: i === 1 ? subjectId.toUpperCase() : subjectId,
      consentId: i === 1 ? consentId.toUpperCase() : consentId,
      embedding: embedding(i),
    })),
    { subjectId: stranger.id, embedding: embedding(77) },
    { subjectId: first?.subjectId, embedding: [1, 2, 3] },
    { subject: 'misspelt' },
    { reference: 'employee 7', embedding: embedding(78) },
    { reference: 'employee 8', embedding: embedding(78) },
    { subjectId: NOBODY, embedding: embedding(78) },
    { subjectId: first?.subjectId, consentId: NOBODY, embedding: embedding(78) },
    { ...first, embedding: embedding(0) },
    { subjectId: first?.subjectId, reference: 'both', embedding: embedding(79) },
  ];
  const created = await startJob(client, gallery, 'enrol', linesOf(lines));
  expect(ok(created).state).toBe('received');
  const { job, outcomes, lines: told } = await endOf(client, created);
  expect(job).toMatchObject({ state: 'ended', total: 14, done: 5, refused: 9, failed: 0, code: null });
  expect(outcomes).toEqual([
    ...people.map(() => 'done'),
    'consent_required',
    'embedding_invalid',
    'item_malformed',
    'consent_required',
    'subject_not_found',
    'subject_not_found',
    'consent_required',
    'duplicate_item',
    'item_malformed',
  ]);
  expect(known.id).not.toBe(first?.subjectId);
  for (const [i, { subjectId }] of people.entries()) {
    const { candidates } = ok(await identify(client, gallery, embedding(i)));
    expect(candidates).toEqual([{ subjectId, templateId: told[i].templateId }]);
  }
  const { rows } = await stack.owner.query(
    `SELECT type, outcome, count(*)::int AS n FROM audit_event WHERE gallery_id = $1 AND type ~ '^(job|template)'
     GROUP BY 1, 2 ORDER BY 1, 2`,
    [gallery],
  );
  expect(rows).toEqual([
    { type: 'job.created', outcome: 'ok', n: 1 },
    { type: 'job.ended', outcome: 'ok', n: 1 },
    { type: 'template.enrolled', outcome: 'ok', n: 5 },
    { type: 'template.enrolled', outcome: 'refused', n: 5 },
  ]);
});

test('results are read on from a cursor, and events end with the job', async () => {
  const gallery = await createGallery(client);
  const { subjectId } = await consentingSubject(client);
  const lines = Array.from({ length: 1_500 }, (_, i) => ({ subjectId, embedding: [i] }));
  const { id } = ok(await startJob(client, gallery, 'enrol', linesOf(lines)));
  const events = String(ok(await client.get(`/v1/jobs/${id}/events`)));
  expect(events).toMatch(/event: progress\n/);
  const last: Json = JSON.parse(
    events
      .trim()
      .split('\n')
      .findLast((line) => line.startsWith('data: '))
      ?.slice(6) ?? '',
  );
  expect(events).toContain('event: end\n');
  expect(last).toMatchObject({ id, state: 'ended', total: 1_500, refused: 1_500 });
  const all = await results(client, id);
  expect(all.map(({ item }) => item)).toEqual(lines.map((_, i) => i + 1));
  const rest = await results(client, id, all[1_233].cursor);
  expect(rest.map(({ item }) => item)).toEqual(lines.map((_, i) => i + 1).slice(1_234));
  const invalid = await client.get(`/v1/jobs/${id}/results?cursor=made-up`);
  expect([invalid.status, invalid.body.code]).toEqual([400, 'invalid_cursor']);
});

test('many probes are identified as one by one; a face withdrawn before or after is in no answer', async () => {
  const gallery = await createGallery(client);
  const people = await Promise.all(
    Array.from({ length: 12 }, (_, i) => enrolledPerson(client, gallery, embedding(i))),
  );
  ok(await client.post(`/v1/consents/${people[3]?.consentId}/withdraw`));
  const probes = people.map((_, i) => ({ embedding: similar(embedding(i), i + 500) }));
  // Whom a line names is not asked.
  const stranger = { reference: 'nobody', embedding: embedding(999) };
  const { job, lines } = await endOf(
    client,
    await startJob(client, gallery, 'identify&topK=3', linesOf([...probes, stranger])),
  );
  expect(job).toMatchObject({ state: 'ended', total: 13, done: 13 });
  const named = lines.map(({ candidates }) => candidates.map((each: Json) => each.subjectId));
  expect(named).toEqual([...people.map(({ subjectId }, i) => (i === 3 ? [] : [subjectId])), []]);
  for (const [i, { embedding: probe }] of probes.entries()) {
    const alone = ok(await identify(client, gallery, probe, 3));
    expect(lines[i].candidates).toEqual(alone.candidates);
  }
  ok(await client.post(`/v1/consents/${people[4]?.consentId}/withdraw`));
  ok(await client.delete(`/v1/subjects/${people[5]?.subjectId}`));
  const later = (await results(client, job.id)).map(({ candidates }) => candidates.length);
  expect(later).toEqual(people.map((_, i) => (i >= 3 && i <= 5 ? 0 : 1)).concat(0));
});

test('a bulk erasure proves for each subject that nothing is left', async () => {
  const gallery = await createGallery(client);
  const other = await createGallery(client);
  const people = await Promise.all([1, 2, 3].map((i) => enrolledPerson(client, gallery, embedding(i))));
  const [first, second, third] = people.map(({ subjectId }) => subjectId);
  ok(await client.post(`/v1/galleries/${other}/subjects/${first}/templates`, { embedding: embedding(1) }));
  const input = linesOf([{ subjectId: first }, { subjectId: second }, { subjectId: NOBODY }]);
  const { outcomes, lines } = await endOf(client, await startJob(client, gallery, 'erase', input));
  expect(outcomes).toEqual(['done', 'done', 'subject_not_found']);
  expect(lines[0]).toMatchObject({
    subjectId: first,
    templates: 2,
    rows: { templates: 0, references: 0, openConsents: 0 },
    pads: { slots: 2, usable: 0 },
    jobs: { itemsWaiting: 0, inputsStored: [] },
  });
  expect(lines[0].caches.map((each: Json) => each.galleryId).toSorted()).toEqual([gallery, other].toSorted());
  expect((await client.get(`/v1/subjects/${first}`)).status).toBe(404);
  for (const i of [1, 2]) expect(ok(await identify(client, gallery, embedding(i))).candidates).toEqual([]);
  expect(ok(await identify(client, gallery, embedding(3))).candidates).toMatchObject([{ subjectId: third }]);
});

test('new embeddings replace the templates of an older gallery, one subject after the other', async () => {
  const older = await createGallery(client);
  const newer = await createGallery(client, { model: 'next', dimension: 64 });
  const people = await Promise.all([1, 2].map((i) => enrolledPerson(client, older, embedding(i))));
  const lines = people.map(({ subjectId }, i) => ({ subjectId, embedding: embedding(i + 50, 64) }));
  const { outcomes } = await endOf(
    client,
    await startJob(client, newer, `re-embed&replaces=${older}`, linesOf(lines.slice(0, 1))),
  );
  expect(outcomes).toEqual(['done']);
  expect(ok(await identify(client, newer, embedding(50, 64))).candidates).toHaveLength(1);
  expect(ok(await identify(client, older, embedding(1))).candidates).toEqual([]);
  expect(ok(await identify(client, older, embedding(2))).candidates).toHaveLength(1);
  // The same gallery: sealed anew under other pads.
  const again = [{ subjectId: people[1]?.subjectId, embedding: embedding(2) }];
  await endOf(client, await startJob(client, older, `re-embed&replaces=${older}`, linesOf(again)));
  const { rows } = await stack.owner.query('SELECT count(*)::int AS n FROM template WHERE gallery_id = $1', [
    older,
  ]);
  expect(rows[0].n).toBe(1);
});

test('older templates stay where there is no room for the new one', async () => {
  const [older, full] = [await createGallery(client), await createGallery(client)];
  const { subjectId } = await enrolledPerson(client, older, embedding(1));
  for (let i = 0; i < 10; i++) ok(await enrol(client, full, subjectId, embedding(i + 100)));
  const input = linesOf([{ subjectId, embedding: embedding(2) }]);
  const refused = await endOf(client, await startJob(client, full, `re-embed&replaces=${older}`, input));
  expect(refused.outcomes).toEqual(['too_many_templates']);
  expect(ok(await identify(client, older, embedding(1))).candidates).toMatchObject([{ subjectId }]);
  // In the same gallery the older make room.
  const anew = await endOf(client, await startJob(client, full, `re-embed&replaces=${full}`, input));
  expect(anew.outcomes).toEqual(['done']);
  expect(ok(await client.get(`/v1/galleries/${full}/subjects/${subjectId}/templates`))).toHaveLength(1);
});

test('the input is stored encrypted, and is gone when the job is over', async () => {
  const gallery = await createGallery(client);
  await stack.worker?.stop();
  const input = linesOf([{ subjectId: NOBODY, embedding: embedding(4) }]).repeat(3_000);
  const { id } = ok(await startJob(client, gallery, 'enrol', input));
  const path = join(stack.spoolFolder, id);
  const stored = readFileSync(path);
  expect(stored.length).toBeGreaterThan(input.length);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(stored.includes(NOBODY)).toBe(false);
  expect(stored.includes('embedding')).toBe(false);
  await stack.startWorker();
  await endedJob(client, id);
  await expect.poll(spooled).toEqual([]);
});

test('what an upload left behind that never became a job is swept', async () => {
  const gallery = await createGallery(client);
  const upload = beginUpload(client, gallery, 1_000_000);
  await expect.poll(() => spooled().length).toBe(1);
  // The API is killed, and so cannot clean up.
  stack.apis[0]?.kill('SIGKILL');
  upload.destroy();
  const [left = ''] = spooled();
  const longAgo = Date.now() / 1_000 - 3_700;
  utimesSync(join(stack.spoolFolder, left), longAgo, longAgo);
  // What BullMQ's scheduler does every ten minutes.
  const queue = new Queue('velum-recurring', { connection: { url: stack.redisUrl } });
  await queue.add('sweep-jobs', {});
  await queue.close();
  await expect.poll(spooled, { timeout: 20_000 }).toEqual([]);
  const [api] = stack.apis.splice(0);
  await api?.stop();
  await stack.startApi();
  client = client.at(stack.url);
});

test('an upload that is cut off leaves no job and no file', async () => {
  const gallery = await createGallery(client);
  const upload = beginUpload(client, gallery, 1_000_000);
  await expect.poll(() => spooled().length).toBe(1);
  upload.destroy();
  await expect.poll(spooled).toEqual([]);
  const { items } = ok(await client.get('/v1/jobs'));
  expect(items.filter((job: Json) => job.galleryId === gallery)).toEqual([]);
});

test('a client follows fifty jobs at once, and another when one of them was left', async () => {
  const gallery = await createGallery(client);
  await stack.worker?.stop();
  const { id } = ok(await startJob(client, gallery, 'identify', linesOf([{ embedding: embedding(1) }])));
  const follow = async (signal: AbortSignal): Promise<Response> =>
    fetch(`${client.url}/v1/jobs/${id}/events`, {
      headers: { authorization: `Bearer ${client.token}` },
      signal,
    });
  const [first, others] = [new AbortController(), new AbortController()];
  // Kept: the stream of an answer that is collected as garbage is cancelled, and one more may follow.
  const followed = [await follow(first.signal)];
  for (let i = 1; i < 50; i++) followed.push(await follow(others.signal));
  const refused = await follow(others.signal);
  expect([refused.status, (await refused.json()).code]).toEqual([429, 'too_many_streams']);
  first.abort();
  await expect.poll(async () => (await follow(others.signal)).status).toBe(200);
  others.abort();
  expect(followed.map(({ status }) => status)).toEqual(Array.from({ length: 50 }, () => 200));
  ok(await client.post(`/v1/jobs/${id}/cancel`));
  await stack.startWorker();
});

test('an upload that is refused is answered at once, and then cut off', async () => {
  const upload = beginUpload(client, NOBODY, 1_000_000);
  const [response] = await once(upload, 'response');
  expect(response.statusCode).toBe(404);
  const cutOff = once(upload, 'close');
  response.resume();
  // As a client does that reads the answer late: it goes on sending.
  const sending = setInterval(() => upload.write(Buffer.alloc(1_000)), 50);
  await cutOff;
  clearInterval(sending);
});

test('a job that is cancelled begins nothing more, and keeps what it did', async () => {
  const gallery = await createGallery(client);
  const { subjectId } = await consentingSubject(client);
  await stack.worker?.stop();
  const { id } = ok(
    await startJob(client, gallery, 'enrol', linesOf([{ subjectId, embedding: embedding(1) }])),
  );
  expect(ok(await client.post(`/v1/jobs/${id}/cancel`)).state).toBe('cancelled');
  expect(ok(await client.post(`/v1/jobs/${id}/cancel`)).state).toBe('cancelled');
  expect(spooled()).toEqual([]);
  await stack.startWorker();
  const after = ok(
    await startJob(client, gallery, 'enrol', linesOf([{ subjectId, embedding: embedding(2) }])),
  );
  await endedJob(client, after.id);
  expect(ok(await client.get(`/v1/jobs/${id}`))).toMatchObject({ state: 'cancelled', done: 0 });
  expect(ok(await identify(client, gallery, embedding(1))).candidates).toEqual([]);
});

test('the same upload under one Idempotency-Key is one job; another upload under it is refused', async () => {
  const gallery = await createGallery(client);
  const { subjectId } = await consentingSubject(client);
  const key = { 'idempotency-key': 'upload-1' };
  const input = linesOf([{ subjectId, embedding: embedding(1) }]);
  const start = (): Promise<Answer> => startJob(client, gallery, 'enrol', input, key);
  const [one, two] = await Promise.all([start(), start()]);
  expect(ok(one).id).toBe(ok(two).id);
  const other = await startJob(
    client,
    gallery,
    'enrol',
    linesOf([{ subjectId, embedding: embedding(2) }]),
    key,
  );
  expect(other.body.code).toBe('idempotency_key_reused');
  await endedJob(client, ok(one).id);
  await expect.poll(spooled).toEqual([]);
});

test('a job needs the scope of what it does, and settings that belong to its type', async () => {
  const gallery = await createGallery(client);
  const limited = await TestClient.connect(stack.url, createCredentials(stack, 'jobs:write faces:enrol'));
  const refused = await startJob(limited, gallery, 'erase', linesOf([{ subjectId: NOBODY }]));
  expect([refused.status, refused.body.code]).toEqual([403, 'insufficient_scope']);
  expect(refused.headers.get('www-authenticate')).toContain('scope="faces:erase"');
  for (const type of ['enrol&topK=2', `identify&replaces=${gallery}`, 're-embed', 'burn']) {
    const invalid = await startJob(client, gallery, type, '{}');
    expect([type, invalid.status, invalid.body.code]).toEqual([type, 400, 'invalid_request']);
  }
  const kind = await client.post(`/v1/galleries/${gallery}/jobs?type=enrol`, { no: 'stream' });
  expect([kind.status, kind.body.code]).toEqual([415, 'job_input_unsupported']);
  const nothing = await client.post(`/v1/galleries/${gallery}/jobs?type=enrol`);
  for (const empty of [nothing, await startJob(client, gallery, 'enrol', '')]) {
    expect([empty.status, empty.body.code]).toEqual([422, 'job_input_empty']);
  }
  expect(spooled()).toEqual([]);
});

test('a gallery that is destroyed fails its jobs with a code', async () => {
  const gallery = await createGallery(client);
  await stack.worker?.stop();
  const { id } = ok(await startJob(client, gallery, 'identify', linesOf([{ embedding: embedding(1) }])));
  ok(await client.delete(`/v1/galleries/${gallery}`));
  await stack.startWorker();
  expect(await endedJob(client, id)).toMatchObject({ state: 'failed', code: 'gallery_not_found' });
});
