import { CustodyDatabase } from '#custody/custody-database';
import { KeySetNotFound } from '#custody/custody.errors';
import type { ScoresPart } from '#custody/key-custodian';
import { LocalKeyCustodian } from '#custody/local-key-custodian';
import { WrappingKeys } from '#custody/wrapping-keys';
import { cosineToScore, quantiseProbe, quantiseTemplate } from '#homomorphic/quantised-vector';
import { loadConfig } from '#platform/config';
import { type GalleryId, newId } from '#platform/ids';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { matched, type MatchedRequest, openMatched } from '../harness/matching.js';
import { Stack } from '../harness/stack.js';
import { embedding } from '../harness/story.js';

const DIMENSION = 64;
const SWEEP_MS = 5_000;
/** So long an opening goes by what it read of a key set. */
const LONGEST_UNREAD_MS = 1_000;

let stack: Stack;
let db: CustodyDatabase;
let custodian: LocalKeyCustodian;
let replica: LocalKeyCustodian;

beforeAll(async () => {
  stack = await Stack.start({ apis: 0 });
  const config = loadConfig({ ...process.env, ...stack.env });
  db = await CustodyDatabase.connect(config);
  const keys = await WrappingKeys.load(config);
  custodian = new LocalKeyCustodian(db, config, keys);
  replica = new LocalKeyCustodian(db, config, keys);
  await Promise.all([custodian.ready(), replica.ready()]);
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

afterAll(async () => {
  await Promise.all([custodian.onApplicationShutdown(), replica.onApplicationShutdown()]);
  await db.destroy();
  await stack.stop();
});

test('a key that a slow call takes up after it was destroyed is forgotten once more', async () => {
  const request = await filledGallery();
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] });
  custodian.onApplicationBootstrap();
  // It has read the key by then, and not yet handed it to a thread.
  const [asked, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const query = db.query.bind(db);
  vi.spyOn(db, 'query').mockImplementation(async (...statement) => {
    const answer = await query(...statement);
    if (!statement[0].includes('s.secret')) return answer;
    asked.resolve();
    await goOn.promise;
    return answer;
  });
  const slow = openMatched(custodian, request);
  await asked.promise;
  await replica.destroy(request.galleryId);
  // From now on it knows, and has forgotten what it had.
  await expect(custodian.maskSeed(request.galleryId)).rejects.toThrow(KeySetNotFound);

  goOn.resolve();
  expect(await slow).toHaveLength(1);
  expect(await keysHeld()).toBe(1);
  await expect
    .poll(
      async () => {
        await vi.advanceTimersByTimeAsync(SWEEP_MS);
        return keysHeld();
      },
      { timeout: 30_000 },
    )
    .toBe(0);
});

test('scores that come when the keys are destroyed are not opened, whoever began before', async () => {
  const { c1, segments, ...request } = await filledGallery();
  vi.useFakeTimers({ toFake: ['performance'] });
  const scores = async function* (): AsyncGenerator<ScoresPart> {
    yield { c1, segments: [] };
    await replica.destroy(request.galleryId);
    vi.advanceTimersByTime(LONGEST_UNREAD_MS + 1);
    yield { c1: undefined, segments };
  };
  await expect(custodian.openScores({ ...request, places: [] }, scores())).rejects.toThrow(KeySetNotFound);
});

async function filledGallery(): Promise<MatchedRequest> {
  const galleryId: GalleryId = newId();
  await replica.createKeySet(galleryId, DIMENSION);
  const sealed = await replica.seal(galleryId, [quantiseTemplate(embedding(1, DIMENSION))]);
  const probe = quantiseProbe(embedding(1, DIMENSION));
  const scores = await matched(DIMENSION, await replica.maskSeed(galleryId), sealed, probe);
  return {
    about: 'gallery',
    clientId: newId(),
    galleryId,
    ...scores,
    threshold: cosineToScore(0.9),
    limit: 1,
  };
}

async function keysHeld(): Promise<number> {
  return (await custodian.held()).keys;
}
