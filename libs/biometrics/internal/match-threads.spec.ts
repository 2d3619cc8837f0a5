import { RingKernel } from '#homomorphic/kernel/ring-kernel';
import { expandMasks, newMaskSeed } from '#homomorphic/mask-seed';
import { quantiseProbe } from '#homomorphic/quantised-vector';
import { asRow } from '#homomorphic/sealed-row';
import { newId } from '#platform/ids';
import { ThreadFailed } from '#platform/thread';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MatchThreads } from './match-threads.js';

const WORDS = 64;
const SEGMENTS = 400;

const galleryId = newId<'gallery'>();
const segmentIds = Array.from({ length: SEGMENTS }, () => newId<'segment'>());
const probe = quantiseProbe(Array.from({ length: WORDS }, (_, i) => Math.sin(i)));
const row = asRow(
  Uint8Array.from({ length: WORDS * 4 }, (_, i) => i),
  WORDS,
);
let threads: MatchThreads;

beforeAll(async () => {
  threads = new MatchThreads(1);
  const ring = await RingKernel.load();
  await threads.setMasks(galleryId, WORDS, expandMasks(ring, newMaskSeed(), WORDS));
  const rows = new Uint8Array(2048 * WORDS * 4).fill(7);
  for (const segmentId of segmentIds) {
    await threads.setRows(segmentId, WORDS, {
      slots: Uint16Array.from({ length: 2048 }, (_, slot) => slot),
      rows: rows.slice(),
    });
  }
});

afterAll(() => threads.close());

test('a verification overtakes searches: those that wait, and the one that runs', async () => {
  const order: string[] = [];
  const searches = [1, 2, 3].map((n) =>
    threads.segmentProducts(segmentIds, [probe, probe, probe, probe]).then(() => order.push(`search ${n}`)),
  );
  await threads.verify(galleryId, WORDS, [row], probe);
  order.push('verification');
  await Promise.all(searches);
  expect(order).toEqual(['verification', 'search 1', 'search 2', 'search 3']);
});

test('a verification that overtakes a search changes nothing of what the search finds', async () => {
  const [first, last] = [segmentIds[0], segmentIds.at(-1)];
  if (first === undefined || last === undefined) throw new Error('no segments');
  const alone = await threads.segmentProducts([first, last], [probe]);
  const [together] = await Promise.all([
    threads.segmentProducts(segmentIds, [probe]),
    ...Array.from({ length: 20 }, () => threads.verify(galleryId, WORDS, [row, row], probe)),
  ]);
  expect([together[0], together.at(-1)]).toEqual(alone);
});

test('what was dropped is not matched any more', async () => {
  const [, second] = segmentIds;
  if (second === undefined) throw new Error('no segments');
  threads.drop([second]);
  expect(threads.holds(second)).toBe(false);
  await expect(async () => threads.segmentProducts([second], [probe])).rejects.toThrow(ThreadFailed);
});
