import { FacePool } from '#faces/face-pool';
import { Redis } from 'ioredis';
import { setTimeout } from 'node:timers/promises';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { endedJob, results, startJob, zipOf } from '../harness/jobs.js';
import { sampleFaces } from '../harness/sample-faces.js';
import { Stack } from '../harness/stack.js';
import { consentingPeople, ok } from '../harness/story.js';
import { type Json, TestClient } from '../harness/test-client.js';

const FACES = 8;
/** Of the other tests: each photograph takes a processor a quarter of a second. */
const SOME = 120;

let stack: Stack;
let client: TestClient;
let faces: Buffer[];

beforeAll(async () => {
  stack = await Stack.start({ ownServers: true, env: { FACE_WORKERS: '2' } });
  client = await TestClient.create(stack);
  const pool = new FacePool({ workers: 2 });
  faces = await Promise.all(
    (await sampleFaces(pool, FACES)).map((face) => sharp(face).resize({ width: 240 }).jpeg().toBuffer()),
  );
  await pool.close();
});

afterAll(() => stack.stop());

/** A running enrolment of `count` people, each with a photograph. */
async function enrolment(count: number): Promise<{ jobId: string; gallery: string; subjects: string[] }> {
  const body = { name: `Enrolment of ${count} ${Math.random()}`, purpose: 'access_control' };
  const gallery = ok(await client.post('/v1/galleries', body)).id;
  const people = await consentingPeople(client, count);
  const subjects = people.map(({ subjectId }) => subjectId);
  const rows = subjects.map((subjectId, i) => `${subjectId},${i % faces.length}.jpg\n`);
  const files = Object.fromEntries(faces.map((face, i) => [`${i}.jpg`, face]));
  const zip = await zipOf({ 'manifest.csv': `subjectId,file\n${rows.join('')}`, ...files });
  const { id } = ok(await startJob(client, gallery, 'enrol', zip));
  return { jobId: id, gallery, subjects };
}

async function progress(jobId: string): Promise<number> {
  const { rows } = await stack.owner.query('SELECT done + refused + failed AS n FROM job WHERE id = $1', [
    jobId,
  ]);
  return rows[0].n;
}

/** Every person has one template, one outcome and one audit record, and no slot holds two. */
async function expectEachOnce({
  jobId,
  gallery,
  subjects,
}: {
  jobId: string;
  gallery: string;
  subjects: string[];
}): Promise<void> {
  const count = subjects.length;
  expect(await endedJob(client, jobId, 600_000)).toMatchObject({
    state: 'ended',
    total: count,
    done: count,
    refused: 0,
    failed: 0,
  });
  const lines = await results(client, jobId);
  expect(lines.map(({ item }) => item)).toEqual(subjects.map((_, i) => i + 1));
  expect(lines.map(({ subjectId }: Json) => subjectId)).toEqual(subjects);
  const { rows } = await stack.owner.query(
    `SELECT (SELECT count(*)::int FROM template WHERE gallery_id = $1) AS templates,
            (SELECT count(DISTINCT subject_id)::int FROM template WHERE gallery_id = $1) AS people,
            (SELECT count(DISTINCT (segment_id, slot))::int FROM template WHERE gallery_id = $1) AS slots,
            (SELECT count(*)::int FROM audit_event
             WHERE gallery_id = $1 AND type = 'template.enrolled' AND outcome = 'ok') AS records,
            (SELECT count(*)::int FROM audit_event WHERE gallery_id = $1 AND type = 'job.ended') AS ends`,
    [gallery],
  );
  expect(rows[0]).toEqual({ templates: count, people: count, slots: count, records: count, ends: 1 });
}

test('a worker that is killed ten times in a job of two thousand enrols each person exactly once', async () => {
  const job = await enrolment(2_000);
  let killed = 0;
  while (killed < 10) {
    const worker = await stack.startWorker();
    const before = await progress(job.jobId);
    // Now and then while it starts and reads the input; else in the work: in a photograph, in a transaction, between two.
    if (killed % 4 !== 0) {
      await expect.poll(() => progress(job.jobId), { timeout: 60_000, interval: 20 }).toBeGreaterThan(before);
    }
    await setTimeout(Math.random() * 2_000);
    worker.kill('SIGKILL');
    await worker.stop();
    const after = await progress(job.jobId);
    expect(after).toBeLessThan(job.subjects.length);
    killed++;
  }
  await stack.startWorker();
  await expectEachOnce(job);
}, 900_000);

test('Redis flushed and restarted in the middle of a job loses nothing, and the job ends', async () => {
  const job = await enrolment(SOME);
  await expect.poll(() => progress(job.jobId), { timeout: 60_000 }).toBeGreaterThan(20);
  const redis = new Redis(stack.redisUrl);
  await redis.flushall();
  redis.disconnect();
  const flushed = await progress(job.jobId);
  await expect.poll(() => progress(job.jobId), { timeout: 60_000 }).toBeGreaterThan(flushed + 20);
  const told = stack.worker?.log.length ?? 0;
  await stack.redis?.restart();
  await expectEachOnce(job);
  // Of a lost connection ten libraries would tell in ten ways, addresses included.
  const since = stack.worker?.log.slice(told) ?? [];
  expect(since.filter((line) => !line.startsWith('{"'))).toEqual([]);
  expect(since.filter((line) => line.includes('Redis cannot be reached')).length).toBeLessThan(10);
}, 300_000);

test('PostgreSQL crashed in the middle of a job: the job waits, and goes on', async () => {
  const job = await enrolment(SOME);
  await expect.poll(() => progress(job.jobId), { timeout: 60_000 }).toBeGreaterThan(20);
  await stack.postgres?.crash();
  // Long enough for the worker to fail at it.
  await expect.poll(() => stack.worker?.log.join('\n')).toContain('tried again later');
  await stack.postgres?.recover();
  await expectEachOnce(job);
}, 300_000);

test('a worker that is told to stop ends in order what it has in hand, and nothing of it is lost or refused', async () => {
  await stack.worker?.stop();
  const job = await enrolment(SOME);
  for (let stops = 0; stops < 5; stops++) {
    const worker = await stack.startWorker();
    const before = await progress(job.jobId);
    await expect.poll(() => progress(job.jobId), { timeout: 60_000, interval: 20 }).toBeGreaterThan(before);
    await setTimeout(Math.random() * 500);
    expect(await worker.stop()).toBe(0);
  }
  await stack.startWorker();
  await expectEachOnce(job);
}, 300_000);
