import { CustodyDatabase } from '#custody/custody-database';
import type { OpeningRequest } from '#custody/key-custodian';
import { LocalKeyCustodian } from '#custody/local-key-custodian';
import { WrappingKeys } from '#custody/wrapping-keys';
import { cosineToScore, quantiseProbe, quantiseTemplate } from '#homomorphic/quantised-vector';
import { loadConfig } from '#platform/config';
import { type GalleryId, newId } from '#platform/ids';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { matched } from '../harness/matching.js';
import { Stack } from '../harness/stack.js';
import { embedding } from '../harness/story.js';

const DIMENSION = 64;
const SWEEP_MS = 5_000;

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

afterEach(() => vi.useRealTimers());

afterAll(async () => {
  await Promise.all([custodian.onApplicationShutdown(), replica.onApplicationShutdown()]);
  await db.destroy();
  await stack.stop();
});

test('a key that a slow call takes up after it was destroyed is forgotten once more', async () => {
  const request = await filledGallery();
  expect(await custodian.openScores(copyOf(request))).toHaveLength(1);
  expect(await keysHeld()).toBe(1);

  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] });
  custodian.onApplicationBootstrap();
  const holder = await stack.owner.connect();
  await holder.query('BEGIN; LOCK TABLE custody.opening_count');
  const slow = custodian.openScores(copyOf(request));
  // It has read the key by then, and waits to be counted.
  await expect.poll(waitingForLocks, { timeout: 20_000 }).toBe(1);
  await replica.destroy(request.galleryId);
  await vi.advanceTimersByTimeAsync(SWEEP_MS);
  await expect.poll(keysHeld, { timeout: 20_000 }).toBe(0);

  await holder.query('COMMIT');
  holder.release();
  await slow;
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

async function filledGallery(): Promise<OpeningRequest> {
  const galleryId: GalleryId = newId();
  await replica.createKeySet(galleryId, DIMENSION);
  const sealed = await replica.seal(galleryId, [quantiseTemplate(embedding(1, DIMENSION))]);
  const probe = quantiseProbe(embedding(1, DIMENSION));
  const scores = await matched(DIMENSION, await replica.maskSeed(galleryId), sealed, probe);
  return {
    about: 'subject',
    clientId: newId(),
    galleryId,
    ...scores,
    threshold: cosineToScore(0.9),
    limit: 1,
  };
}

/** Opening takes the scores over. */
function copyOf(request: OpeningRequest): OpeningRequest {
  return { ...request, segments: request.segments.map((each) => ({ ...each, c0: each.c0.slice() })) };
}

async function keysHeld(): Promise<number> {
  return (await custodian.held()).keys;
}

async function waitingForLocks(): Promise<number> {
  const { rows } = await stack.owner.query(
    `SELECT count(*)::int AS n FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock'`,
  );
  return rows[0].n;
}
