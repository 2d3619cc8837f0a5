import { ListWork, ListWorkHandler } from '#jobs/list-work';
import { dataSourceOptions } from '#platform/data-source';
import { Keyring } from '#platform/keyring';
import { createDecipheriv, hkdfSync } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { hold, untilWaiting } from '../harness/held-jobs.js';
import { endOf, linesOf, results, startJob, zipOf } from '../harness/jobs.js';
import { openCase } from '../harness/rights.js';
import { Stack } from '../harness/stack.js';
import { consentingPeople, createGallery, embedding, ok } from '../harness/story.js';
import { type Answer, type Json, TestClient } from '../harness/test-client.js';

let stack: Stack;
let db: DataSource;
let client: TestClient;
let gallery: string;
let people: { subjectId: string }[];

beforeAll(async () => {
  stack = await Stack.start({ worker: true });
  db = await new DataSource(dataSourceOptions(stack.urls.worker, 'velum-test')).initialize();
  client = await TestClient.create(stack);
  gallery = await createGallery(client);
});

beforeEach(async () => {
  people = await consentingPeople(client, 3);
});

afterEach(() => vi.waitFor(() => expect(spooled()).toEqual([]), { timeout: 20_000 }));

afterAll(async () => {
  await db.destroy();
  await stack.stop();
});

const id = (n: number): string => people[n]?.subjectId ?? '';
const spooled = (): string[] => readdirSync(stack.spoolFolder);
const erase = async (n: number): Promise<void> => {
  expect((await client.delete(`/v1/subjects/${id(n)}`)).status).toBe(204);
};

/** Whoever has the file, the database and its key: what each item says, or undefined. */
async function opened(jobId: string, file: Buffer): Promise<(string | undefined)[]> {
  const keyring = Keyring.parse(
    readFileSync(join(stack.env['SECRETS_DIR'] ?? '', 'db_encryption_key'), 'utf8'),
  );
  const { rows: jobs } = await stack.owner.query('SELECT spool_key FROM job WHERE id = $1', [jobId]);
  const key = keyring?.decrypt(jobs[0].spool_key, `job.spool_key of items ${jobId}`) ?? Buffer.alloc(32);
  const { rows } = await stack.owner.query(
    'SELECT at::int, length, secret FROM job_record WHERE job_id = $1 ORDER BY n',
    [jobId],
  );
  const secrets: Buffer[] = rows.flatMap(({ secret }: Json) => secret ?? []);
  return rows.map(({ at, length }: Json) => {
    const record = file.subarray(at, at + length + 16);
    return secrets.map((secret) => openedWith(key, secret, record)).find((each) => each !== undefined);
  });
}

function openedWith(key: Buffer, secret: Buffer, record: Buffer): string | undefined {
  const own = Buffer.from(hkdfSync('sha256', key, secret, 'velum job item', 32));
  const decipher = createDecipheriv('aes-256-gcm', own, Buffer.alloc(12));
  decipher.setAuthTag(record.subarray(-16));
  try {
    return Buffer.concat([decipher.update(record.subarray(0, -16)), decipher.final()]).toString('latin1');
  } catch {
    return undefined;
  }
}

/** The one file that there is, as somebody took it away. */
function taken(jobId: string): Buffer {
  const [name = '', ...others] = spooled();
  expect(others).toEqual([]);
  expect(name).toMatch(new RegExp(`^${jobId}\\.`));
  return readFileSync(join(stack.spoolFolder, name));
}

test('of a job that waits the line of who is erased is unreadable at once, and the others are done', async () => {
  const held = await hold(stack, 'UPDATE ON job_item');
  const lines = linesOf(people.map(({ subjectId }, n) => ({ subjectId, embedding: embedding(n) })));
  const started = await startJob(client, gallery, 'enrol', lines);
  const jobId: string = ok(started).id;
  await untilWaiting(stack, 'UPDATE job_item');
  await expect.poll(spooled).toHaveLength(1);
  const file = taken(jobId);
  expect(await opened(jobId, file)).toEqual(lines.trim().split('\n'));

  await erase(1);
  expect(await opened(jobId, file)).toEqual([expect.any(String), undefined, expect.any(String)]);
  // And then on the disk, where the others stay.
  const { rows } = await stack.owner.query(
    'SELECT at::int, length FROM job_record WHERE job_id = $1 AND n = 2',
    [jobId],
  );
  const { at, length } = rows[0];
  await expect
    .poll(
      () =>
        taken(jobId)
          .subarray(at, at + length + 16)
          .every((byte) => byte === 0),
      { timeout: 10_000 },
    )
    .toBe(true);

  stack.worker?.kill('SIGKILL');
  await held.letGo();
  await stack.startWorker();
  expect((await endOf(client, started)).outcomes).toEqual(['done', 'subject_not_found', 'done']);
  const [first] = await results(client, jobId);
  expect((await results(client, jobId, first?.['cursor'])).map(({ item }) => item)).toEqual([2, 3]);
  expect((await stack.owner.query('SELECT FROM job_record')).rowCount).toBe(0);
});

test('so is what a reference or a manifest names, and a probe that says whose it is', async () => {
  const registered: string = ok(await client.post('/v1/subjects', { reference: 'staff-1' })).id;
  const held = await hold(stack, 'UPDATE ON job_item');
  const lines = linesOf([
    { reference: 'staff-1', embedding: embedding(1) },
    { subjectId: id(0), embedding: embedding(2) },
    { embedding: embedding(3) },
  ]);
  const zip = await zipOf({
    'manifest.csv': `subjectId,reference,file\n,staff-1,a.jpg|b.jpg\n${id(0)},,c.jpg\n`,
    'a.jpg': 'photograph one',
    'b.jpg': 'photograph two',
    'c.jpg': 'photograph three',
  });
  const jobs = [
    {
      started: await startJob(client, gallery, 'identify', lines),
      left: [undefined, 'embedding', 'embedding'],
    },
    { started: await startJob(client, gallery, 'enrol', zip), left: [undefined, 'photograph three'] },
  ];
  await expect.poll(() => spooled().filter((name) => name.includes('.')).length, { timeout: 20_000 }).toBe(2);
  await expect.poll(() => spooled().length).toBe(2);
  const files = jobs.map(({ started }) => {
    const name = spooled().find((each) => each.startsWith(ok(started).id)) ?? '';
    return readFileSync(join(stack.spoolFolder, name));
  });
  expect((await client.delete(`/v1/subjects/${registered}`)).status).toBe(204);
  for (const [i, { started, left }] of jobs.entries()) {
    const found = await opened(ok(started).id, files[i] ?? Buffer.alloc(0));
    expect(found).toEqual(left.map((said) => said && expect.stringContaining(said)));
  }
  await held.letGo();
  const [identified, enrolled] = await Promise.all(jobs.map(({ started }) => endOf(client, started)));
  expect(identified?.outcomes).toEqual(['subject_not_found', 'done', 'done']);
  expect(enrolled?.outcomes[0]).toBe('subject_not_found');
  expect(enrolled?.job).toMatchObject({ state: 'ended', failed: 0 });
});

test.each([
  // The erasure commits before the items can be seen, or waits until they can.
  { step: 'INSERT ON job_record', waits: false },
  { step: 'UPDATE OF records_file ON job', waits: true },
] as const)('an erasure while the items are written down ($step) reaches them', async ({ step, waits }) => {
  const begun = await hold(stack, 'UPDATE ON job_item');
  const written = await hold(stack, step);
  const lines = linesOf(people.map(({ subjectId }, n) => ({ subjectId, embedding: embedding(n) })));
  const started = await startJob(client, gallery, 'enrol', lines);
  const jobId: string = ok(started).id;
  await untilWaiting(stack, waits ? 'UPDATE job SET records_file' : 'INSERT INTO job_record');
  const erasure = erase(0);
  if (waits) await untilWaiting(stack, 'UPDATE "subject"');
  else await erasure;
  await written.letGo();
  await erasure;
  await untilWaiting(stack, 'UPDATE job_item');
  await expect.poll(spooled).toHaveLength(1);
  expect(await opened(jobId, taken(jobId))).toEqual([undefined, expect.any(String), expect.any(String)]);
  await begun.letGo();
  expect((await endOf(client, started)).outcomes).toEqual(['subject_not_found', 'done', 'done']);
});

describe('of an upload that nobody has read', () => {
  beforeEach(() => stack.worker?.kill('SIGKILL'));

  test('no erasure is proved before it is, and then it has nothing of who was erased', async () => {
    const held = await hold(stack, 'UPDATE ON job_item');
    const lines = linesOf(people.map(({ subjectId }, n) => ({ subjectId, embedding: embedding(n) })));
    const started = await startJob(client, gallery, 'enrol', lines);
    const jobId: string = ok(started).id;
    const request = await openCase(client, id(1), 'erasure');
    await erase(1);
    const proof = (): Promise<Answer> => client.get(`/v1/rights-requests/${request.id}/proof`);
    const early = await proof();
    expect([early.status, early.body.code]).toEqual([409, 'erasure_inputs_unread']);

    await stack.startWorker();
    await untilWaiting(stack, 'UPDATE job_item');
    await expect.poll(spooled).toHaveLength(1);
    expect(await opened(jobId, taken(jobId))).toEqual([expect.any(String), undefined, expect.any(String)]);
    expect(ok(await proof()).proof.split('.')).toHaveLength(3);
    await held.letGo();
    expect((await endOf(client, started)).outcomes).toEqual(['done', 'subject_not_found', 'done']);
  });

  test('it is read before all other work, but only if it may name somebody who was erased', async () => {
    const [other, own] = [await TestClient.create(stack), await TestClient.create(stack)];
    const lines = linesOf([{ embedding: embedding(1) }]);
    const before = await startJob(other, await createGallery(other), 'identify', lines);
    const named = await startJob(own, await createGallery(own), 'identify', lines);
    const [person] = await consentingPeople(own, 1);
    const list = new ListWorkHandler(db);
    expect(await list.execute(new ListWork('urgent'))).toEqual([]);
    ok(await own.delete(`/v1/subjects/${person?.subjectId}`));
    const [first, second] = [named, before].map((started) => ok(started).id);
    expect(await list.execute(new ListWork('urgent'))).toEqual([{ jobId: first, urgent: true }]);
    expect(await list.execute(new ListWork())).toEqual([
      { jobId: first, urgent: true },
      { jobId: second, urgent: false },
    ]);
    await stack.startWorker();
    for (const [who, started] of [
      [other, before],
      [own, named],
    ] as const)
      expect((await endOf(who, started)).outcomes).toEqual(['done']);
  });
});
