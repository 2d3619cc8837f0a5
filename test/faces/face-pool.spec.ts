import { FaceAnalysisFailed, FacePool, FacePoolBusy } from '#faces/face-pool';
import type { Worker } from 'node:worker_threads';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { groupPhotographs, sampleFaces } from '../harness/sample-faces.js';

let face: Buffer;
const pools: FacePool[] = [];
const workers: Worker[] = [];

function open(options: ConstructorParameters<typeof FacePool>[0]): FacePool {
  const pool = new FacePool(options);
  pools.push(pool);
  return pool;
}

const image = (): Uint8Array<ArrayBuffer> => new Uint8Array(face);

beforeAll(async () => {
  process.on('worker', (worker) => workers.push(worker));
  const pool = new FacePool({ workers: 1 });
  [face = Buffer.alloc(0)] = await sampleFaces(pool, 1);
  await pool.close();
});

afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
});

test('the event loop stays free while an image is analysed', async () => {
  const pool = open({ workers: 1 });
  await pool.analyse(image(), false);
  let turns = 0;
  let pending = true;
  const count = (): void => {
    turns++;
    if (pending) setImmediate(count);
  };
  count();
  await pool.analyse(image(), false);
  pending = false;
  // On the event loop itself an analysis is a handful of turns, each tens of milliseconds long.
  expect(turns).toBeGreaterThan(500);
});

test('the bytes of an image are handed over: the caller holds nothing afterwards', async () => {
  const bytes = image();
  await open({ workers: 1 }).analyse(bytes, false);
  expect(bytes.byteLength).toBe(0);
});

test('a worker that dies costs its own image only: the next one is analysed by another', async () => {
  const pool = open({ workers: 1 });
  await pool.analyse(image(), false);
  const inHand = pool.analyse(image(), false);
  await Promise.all([expect(inHand).rejects.toBeInstanceOf(FaceAnalysisFailed), workers.at(-1)?.terminate()]);
  expect((await pool.analyse(image(), false)).ok).toBe(true);
});

test('an image that takes too long is given up, and its worker with it', async () => {
  const pool = open({ workers: 1, timeLimitMs: 1 });
  const [group = Buffer.alloc(0)] = groupPhotographs();
  await expect(pool.analyse(new Uint8Array(group), false)).rejects.toBeInstanceOf(FaceAnalysisFailed);
  await expect.poll(() => pool.ready, { timeout: 30_000 }).toBe(true);
});

test('when too many images wait, the next is refused at once; what waits at the end is refused too', async () => {
  const pool = open({ workers: 1, mostWaiting: 2 });
  // The worker still loads its models, so both wait.
  const waiting = [pool.analyse(image(), false), pool.analyse(image(), false)];
  await expect(pool.analyse(image(), false)).rejects.toBeInstanceOf(FacePoolBusy);
  const refused = Promise.all(waiting.map((each) => expect(each).rejects.toBeInstanceOf(FacePoolBusy)));
  await pool.close();
  await refused;
  await expect(pool.analyse(image(), false)).rejects.toBeInstanceOf(FacePoolBusy);
});
