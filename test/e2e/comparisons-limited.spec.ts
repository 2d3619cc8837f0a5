import { CustodyDatabase } from '#custody/custody-database';
import { OpeningRefused, OpeningsLimited } from '#custody/custody.errors';
import type { AlikePair, ComparisonRequest } from '#custody/key-custodian';
import { LocalKeyCustodian } from '#custody/local-key-custodian';
import { WrappingKeys } from '#custody/wrapping-keys';
import {
  asPairScore,
  cosineToPairScore,
  FULL_PAIR_SCORE,
  quantiseTemplate,
} from '#homomorphic/quantised-vector';
import { loadConfig } from '#platform/config';
import { type GalleryId, newId } from '#platform/ids';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { endedJob, results } from '../harness/jobs.js';
import { asSegmentRows } from '../harness/kept-rows.js';
import { Stack } from '../harness/stack.js';
import { createGallery, embedding, enrolledPerson, ok, similar } from '../harness/story.js';
import { TestClient } from '../harness/test-client.js';

const DIMENSION = 64;
const ALIKE = cosineToPairScore(0.9);

let stack: Stack;
let client: TestClient;
let db: CustodyDatabase;
const custodians: LocalKeyCustodian[] = [];

beforeAll(async () => {
  stack = await Stack.start({ apis: 0 });
  await stack.startCustodian();
  await stack.startApi(stack.custody('velum_app'));
  await stack.startWorker(stack.custody('velum_worker'));
  client = await TestClient.create(stack);
  db = await CustodyDatabase.connect(loadConfig({ ...process.env, ...stack.env }));
});

afterAll(async () => {
  await db.destroy();
  await stack.stop();
});

/** Limits count by the minutes of the clock: a test that begins late in one would see two. */
beforeEach(async () => {
  await expect.poll(secondOfTheMinute, { timeout: 20_000, interval: 200 }).toBeLessThan(50);
}, 30_000);

afterEach(async () => {
  await Promise.all(custodians.splice(0).map((each) => each.onApplicationShutdown()));
});

async function secondOfTheMinute(): Promise<number> {
  const { rows } = await stack.owner.query('SELECT extract(second FROM clock_timestamp())::float8 AS s');
  return rows[0].s;
}

async function custodian(limits: Readonly<Record<string, string>>): Promise<LocalKeyCustodian> {
  const config = loadConfig({ ...process.env, ...stack.env, ...limits });
  const made = new LocalKeyCustodian(db, config, await WrappingKeys.load(config));
  custodians.push(made);
  await made.ready();
  return made;
}

/** Compares a gallery of one segment with itself. */
async function comparison(by: LocalKeyCustodian, faces: readonly number[][]): Promise<ComparisonRequest> {
  const galleryId: GalleryId = newId();
  await by.createKeySet(galleryId, DIMENSION);
  const sealed = await by.seal(galleryId, faces.map(quantiseTemplate));
  const left = asSegmentRows(sealed.map((each) => ({ ...each, row: Buffer.from(each.row) })));
  return { galleryId, left, right: undefined, threshold: ALIKE };
}

function strangers(count: number): number[][] {
  return Array.from({ length: count }, (_, i) => embedding(i + 1, DIMENSION));
}

/** So many faces that all look like one person's. */
function lookalikes(count: number): number[][] {
  return Array.from({ length: count }, (_, i) => similar(embedding(1, DIMENSION), i));
}

async function refusalOf(answer: Promise<readonly AlikePair[]>): Promise<OpeningsLimited> {
  const error = await answer.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof OpeningsLimited)) throw error ?? new Error('it was answered');
  return error;
}

async function records(galleryId: string): Promise<string[]> {
  const { rows } = await stack.owner.query(
    `SELECT outcome, passed, withheld FROM custody.opening WHERE gallery_id = $1 ORDER BY at`,
    [galleryId],
  );
  return rows.map(({ outcome, passed, withheld }) => `${outcome} ${passed} ${withheld}`);
}

/** As if so many minutes had passed. */
async function minutesPass(minutes: number): Promise<void> {
  await stack.owner.query(
    `UPDATE custody.opening_count SET minute = minute - make_interval(mins => $1),
       blocked_until = blocked_until - make_interval(mins => $1)`,
    [minutes],
  );
}

test('a gallery is compared so often a minute, whichever replica is asked, and then waits longer each time', async () => {
  const limits = { COMPARISONS_PER_GALLERY_PER_MINUTE: '4' };
  const [one, other] = [await custodian(limits), await custodian(limits)];
  const request = await comparison(one, strangers(3));
  const answers = await Promise.allSettled(
    Array.from({ length: 9 }, (_, i) => (i % 2 === 0 ? one : other).comparePairs(request)),
  );
  expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(4);
  expect((await refusalOf(one.comparePairs(request))).retryAfterSeconds).toBeLessThanOrEqual(60);
  // Another gallery is not stopped by it.
  expect(await other.comparePairs(await comparison(other, strangers(2)))).toEqual([]);
  await minutesPass(1);
  for (let i = 0; i < 4; i++) expect(await one.comparePairs(request)).toEqual([]);
  await refusalOf(one.comparePairs(request));
  const { rows } = await stack.owner.query(
    `SELECT extract(epoch FROM blocked_until - minute - interval '1 minute')::int AS s FROM custody.opening_count
     WHERE kind = 'comparison' AND id = $1`,
    [request.galleryId],
  );
  expect(rows).toEqual([{ s: 15 }]);
  const outcomes = await records(request.galleryId);
  expect(outcomes.filter((each) => each === 'limited 0 0')).toHaveLength(7);
  expect(outcomes.filter((each) => each === 'compared 0 0')).toHaveLength(8);
});

test('a day has room for some deduplications of the whole gallery, and for no more', async () => {
  const by = await custodian({ DEDUPLICATIONS_PER_GALLERY_PER_DAY: '2' });
  const request = await comparison(by, strangers(2));
  // One segment is one comparison; twenty, where there are fewer, so that what is tried again has room.
  for (let i = 0; i < 40; i++) expect(await by.comparePairs(request)).toEqual([]);
  const { retryAfterSeconds } = await refusalOf(by.comparePairs(request));
  const { rows } = await stack.owner.query(
    `SELECT extract(epoch FROM date_trunc('day', now(), 'UTC') + interval '1 day' - now())::int AS s`,
  );
  expect(Math.abs((retryAfterSeconds ?? 0) - rows[0].s)).toBeLessThan(5);
  // A gallery of 100 segments is compared by 5,050.
  await stack.owner.query(
    `INSERT INTO custody.segment (id, gallery_id, secret, used)
     SELECT gen_random_uuid(), gallery_id, secret, 0 FROM custody.segment, generate_series(1, 99) WHERE gallery_id = $1`,
    [request.galleryId],
  );
  await stack.owner.query('UPDATE custody.opening_count SET blocked_until = now() WHERE id = $1', [
    request.galleryId,
  ]);
  await stack.owner.query(
    `UPDATE custody.opening_count SET in_day = 10099 WHERE id = $1 AND kind = 'comparison'`,
    [request.galleryId],
  );
  expect(await by.comparePairs(request)).toEqual([]);
  await refusalOf(by.comparePairs(request));
});

test('as many pairs as deduplications may find are answered, and then nothing is compared until the day is over', async () => {
  const by = await custodian({
    DEDUPLICATIONS_PER_GALLERY_PER_DAY: '1',
    OPENINGS_PER_SUBJECT_PER_DAY: '1000',
  });
  const request = await comparison(by, lookalikes(120));
  const pairs = (120 * 119) / 2;
  expect(await by.comparePairs(request)).toHaveLength(pairs);
  // More than the rest of 10,000: none of them is told.
  expect((await refusalOf(by.comparePairs(request))).retryAfterSeconds).toBeGreaterThan(0);
  // What nobody reaches is refused as well: that nobody does would be an answer.
  await refusalOf(by.comparePairs({ ...request, threshold: asPairScore(FULL_PAIR_SCORE) }));
  expect(await records(request.galleryId)).toEqual([`compared ${pairs} 0`, 'limited 0 0', 'limited 0 0']);
  await minutesPass(24 * 60);
  expect(await by.comparePairs(request)).toHaveLength(pairs);
});

test('a template is in so many pairs a day, and then in none; the others are named all the same', async () => {
  const by = await custodian({ OPENINGS_PER_SUBJECT_PER_DAY: '3' });
  const request = await comparison(by, [
    ...lookalikes(3),
    embedding(7, DIMENSION),
    similar(embedding(7, DIMENSION), 1),
  ]);
  const found = async (): Promise<string[]> =>
    (await by.comparePairs(request)).map(({ left, right }) => `${left} ${right}`).toSorted();
  expect(await found()).toEqual(['0 1', '0 2', '1 2', '3 4']);
  // Each of the three has one left, and there are two to share it.
  expect(await found()).toEqual(['0 1', '3 4']);
  expect(await found()).toEqual(['3 4']);
  expect(await found()).toEqual([]);
  expect(await records(request.galleryId)).toEqual([
    'compared 4 0',
    'compared 2 2',
    'compared 1 3',
    'compared 0 4',
  ]);
});

test('of a score it tells which half above the threshold it is in, and takes no threshold that no gallery has', async () => {
  const by = await custodian({});
  const request = await comparison(by, [
    embedding(1, DIMENSION),
    similar(embedding(1, DIMENSION), 2),
    similar(embedding(1, DIMENSION), 3, 0.4),
  ]);
  const scores = (await by.comparePairs(request)).map(({ score }) => score);
  expect([...new Set(scores)].toSorted((a, b) => a - b)).toEqual([
    ALIKE,
    Math.ceil((ALIKE + FULL_PAIR_SCORE) / 2),
  ]);
  for (const threshold of [
    asPairScore(-1),
    asPairScore(-FULL_PAIR_SCORE),
    asPairScore(FULL_PAIR_SCORE + 1),
  ]) {
    await expect(by.comparePairs({ ...request, threshold })).rejects.toThrow(OpeningRefused);
  }
  expect((await records(request.galleryId)).slice(1)).toEqual(Array<string>(3).fill('refused 0 0'));
});

test('a job that meets a limit waits as long as it is told, and names each pair once', async () => {
  const gallery = await createGallery(client, { dimension: 128, model: 'mine', threshold: { cosine: 0.9 } });
  const people = [
    await enrolledPerson(client, gallery, embedding(1)),
    await enrolledPerson(client, gallery, similar(embedding(1), 2)),
  ];
  await stack.owner.query(
    `INSERT INTO custody.opening_count VALUES ('comparison', $1, -1, now(), 1, 1, 1, now() + interval '8 seconds')`,
    [gallery],
  );
  const { id } = ok(await client.post(`/v1/galleries/${gallery}/jobs?type=deduplicate`));
  const outcomes = (): Promise<string[]> => records(gallery);
  await expect.poll(outcomes, { timeout: 20_000 }).toEqual(['limited 0 0']);
  expect(ok(await client.get(`/v1/jobs/${id}`))).toMatchObject({ state: 'running', failed: 0 });
  expect(await endedJob(client, id)).toMatchObject({ state: 'ended', done: 1, refused: 0, failed: 0 });
  // It did not ask in between.
  expect(await outcomes()).toEqual(['limited 0 0', 'compared 1 0']);
  const [group] = await results(client, id);
  expect(group.pairs).toHaveLength(1);
  const named = group.subjects.map(({ subjectId }: { subjectId: string }) => subjectId);
  expect(named).toEqual(people.map(({ subjectId }) => subjectId));
});
