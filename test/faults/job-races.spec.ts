import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { endOf, linesOf, startJob } from '../harness/jobs.js';
import { Stack } from '../harness/stack.js';
import { consentingPeople, createGallery, embedding, enrol, enrolledPerson, ok } from '../harness/story.js';
import { TestClient } from '../harness/test-client.js';

const ERASED_AT_ONCE = 4;

let stack: Stack;
let client: TestClient;

beforeAll(async () => {
  stack = await Stack.start();
  // Several chunks at once.
  await stack.startWorker({ FACE_WORKERS: '17' });
  client = await TestClient.create(stack);
});

afterAll(() => stack.stop());

async function deadlocks(): Promise<number> {
  const { rows } = await stack.owner.query(
    'SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()',
  );
  return rows[0].deadlocks;
}

test('jobs that re-embed in opposite directions, and erasures meanwhile, do not stand in the way of each other', async () => {
  const galleries = [await createGallery(client), await createGallery(client)];
  const people = await consentingPeople(client, 400);
  const before = await deadlocks();
  const lines = (seed: number): string =>
    linesOf(people.slice(0, 300).map(({ subjectId }, i) => ({ subjectId, embedding: embedding(i + seed) })));
  for (const gallery of galleries) ok(await endEnrolment(gallery, lines(0)));
  const jobs = Array.from({ length: 6 }, async (_, i) => {
    const [to = '', from = ''] = i % 2 === 0 ? galleries : galleries.toReversed();
    return endOf(client, await startJob(client, to, `re-embed&replaces=${from}`, lines(1_000 * (i + 1))));
  });
  // A few at once: each waits for locks with a connection of the API, and whoever follows the jobs needs one, too.
  const rest = people.slice(250);
  const erasures = Array.from({ length: ERASED_AT_ONCE }, async () => {
    for (let next = rest.pop(); next !== undefined; next = rest.pop())
      expect((await client.delete(`/v1/subjects/${next.subjectId}`)).status).toBe(204);
  });
  await Promise.all(erasures);
  for (const { job } of await Promise.all(jobs)) expect(job).toMatchObject({ state: 'ended', failed: 0 });
  expect(await deadlocks()).toBe(before);
}, 120_000);

async function endEnrolment(gallery: string, lines: string): ReturnType<typeof startJob> {
  const started = await startJob(client, gallery, 'enrol', lines);
  await endOf(client, started);
  return started;
}

test('a subject whose gallery is destroyed at the same moment is erased all the same', async () => {
  const [kept, destroyed] = [await createGallery(client), await createGallery(client)];
  const { subjectId } = await enrolledPerson(client, kept, embedding(1));
  ok(await enrol(client, destroyed, subjectId, embedding(2)));
  const destruction = await stack.owner.connect();
  await destruction.query('BEGIN');
  await destruction.query('UPDATE gallery SET version = version + 1 WHERE id = $1', [destroyed]);
  const started = await startJob(client, kept, 'erase', linesOf([{ subjectId }]));
  await vi.waitUntil(erasureWaits, { timeout: 20_000 });
  await destruction.query('DELETE FROM template WHERE gallery_id = $1', [destroyed]);
  await destruction.query('DELETE FROM gallery WHERE id = $1', [destroyed]);
  await destruction.query('COMMIT');
  destruction.release();
  expect((await endOf(client, started)).outcomes).toEqual(['done']);
  expect((await client.get(`/v1/subjects/${subjectId}`)).status).toBe(404);
});

async function erasureWaits(): Promise<boolean> {
  const { rows } = await stack.owner.query(
    `SELECT 1 FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%gallery%'`,
  );
  return rows.length > 0;
}
