import { CustodyDatabase } from '#custody/custody-database';
import { OpeningRefused, TooManyPairs } from '#custody/custody.errors';
import type { SealedTemplate, SegmentRows } from '#custody/key-custodian';
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
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Stack } from '../harness/stack.js';
import { embedding, similar } from '../harness/story.js';

const DIMENSION = 64;
const ALIKE = cosineToPairScore(0.9);
const HALF_WAY = Math.ceil((ALIKE + FULL_PAIR_SCORE) / 2);

let stack: Stack;
let db: CustodyDatabase;
let custodian: LocalKeyCustodian;

beforeAll(async () => {
  stack = await Stack.start({ apis: 0 });
  const config = loadConfig({ ...process.env, ...stack.env });
  db = await CustodyDatabase.connect(config);
  custodian = new LocalKeyCustodian(db, config, await WrappingKeys.load(config));
  await custodian.ready();
});

afterAll(async () => {
  await custodian.onApplicationShutdown();
  await db.destroy();
  await stack.stop();
});

async function sealed(
  faces: readonly number[][],
): Promise<{ galleryId: GalleryId; segments: SegmentRows[] }> {
  const galleryId = newId<'gallery'>();
  await custodian.createKeySet(galleryId, DIMENSION);
  const rows = await custodian.seal(
    galleryId,
    faces.map((face) => quantiseTemplate(face)),
  );
  const bySegment = Map.groupBy(rows.entries(), ([, { segmentId }]) => segmentId);
  return { galleryId, segments: [...bySegment.values()].map(segmentOf) };
}

function segmentOf(share: readonly [number, SealedTemplate][]): SegmentRows {
  const [first] = share;
  if (first === undefined) throw new Error('an empty segment');
  return {
    segmentId: first[1].segmentId,
    slots: Uint16Array.from(share, ([, { slot }]) => slot),
    rows: new Uint8Array(Buffer.concat(share.map(([, { row }]) => row))),
    labels: Uint32Array.from(share, ([n]) => n),
  };
}

test('pairs within a segment and across two are those of the plaintext templates, each in its half above the threshold', async () => {
  // From 1,050 on every 50th face is one of 1,001 places before, so that pairs lie in one segment and in two.
  const faces = Array.from({ length: 2_500 }, (_, i) =>
    i > 1_000 && i % 50 === 0 ? similar(embedding(i - 1_000, DIMENSION), i) : embedding(i + 1, DIMENSION),
  );
  const { galleryId, segments } = await sealed(faces);
  expect(segments.map(({ slots }) => slots.length)).toEqual([2_048, 452]);
  const templates = faces.map(quantiseTemplate);
  const found: string[] = [];
  for (const [i, left] of segments.entries()) {
    for (const right of segments.slice(i)) {
      const pairs = await custodian.comparePairs({
        galleryId,
        left,
        right: right === left ? undefined : right,
        threshold: ALIKE,
      });
      found.push(
        ...pairs.map((pair) => `${left.labels[pair.left]} ${right.labels[pair.right]} ${pair.score}`),
      );
    }
  }
  const { rows } = await stack.owner.query(
    `SELECT client_id, slots, outcome, (sum(passed) OVER ())::int AS pairs FROM custody.opening
     WHERE gallery_id = $1 ORDER BY at`,
    [galleryId],
  );
  expect(rows.map(({ slots }) => slots)).toEqual([2_048, 2_500, 452]);
  expect(rows[0]).toMatchObject({ client_id: null, outcome: 'compared', pairs: found.length });
  const expected: string[] = [];
  templates.forEach((a, i) => {
    for (let j = i + 1; j < templates.length; j++) {
      const score = a.reduce((sum, digit, k) => sum + digit * (templates[j]?.[k] ?? 0), 0);
      if (score >= ALIKE) expected.push(`${i} ${j} ${score < HALF_WAY ? ALIKE : HALF_WAY}`);
    }
  });
  expect(expected.length).toBeGreaterThanOrEqual(29);
  expect(found.toSorted()).toEqual(expected.toSorted());
});

test('what the custodian must not compare, it does not', async () => {
  const { galleryId, segments } = await sealed([1, 2, 3].map((seed) => embedding(seed, DIMENSION)));
  const [left] = segments;
  if (left === undefined) throw new Error('no segment');
  const ask = (segment: SegmentRows, asked = galleryId): Promise<unknown> =>
    custodian.comparePairs({ galleryId: asked, left: segment, right: undefined, threshold: ALIKE });

  await expect(ask(left)).resolves.toEqual([]);
  // A slot that was never given to a template, and one that is named twice.
  await expect(ask({ ...left, slots: Uint16Array.of(0, 1, 3) })).rejects.toThrow(OpeningRefused);
  await expect(ask({ ...left, slots: Uint16Array.of(0, 1, 1) })).rejects.toThrow(OpeningRefused);
  // Rows that stand in one another's place are no templates of that slot.
  await expect(ask({ ...left, slots: Uint16Array.of(0, 2, 1) })).rejects.toThrow(OpeningRefused);
  // Another gallery's keys.
  const other = await sealed([embedding(1, DIMENSION)]);
  await expect(ask(left, other.galleryId)).rejects.toThrow(OpeningRefused);
  const { rows } = await stack.owner.query(
    'SELECT outcome, slots, passed FROM custody.opening WHERE gallery_id = ANY($1) ORDER BY at',
    [[galleryId, other.galleryId]],
  );
  expect(rows).toEqual(
    ['compared', 'refused', 'refused', 'refused', 'refused'].map((outcome) => ({
      outcome,
      slots: 3,
      passed: 0,
    })),
  );
  await custodian.destroy(galleryId);
  await expect(ask(left)).rejects.toMatchObject({ problem: { code: 'key_set_destroyed' } });
});

test('a threshold that too many pairs reach answers none of them', async () => {
  const { galleryId, segments } = await sealed(
    Array.from({ length: 300 }, (_, i) => embedding(i + 1, DIMENSION)),
  );
  const [left] = segments;
  if (left === undefined) throw new Error('no segment');
  const all = custodian.comparePairs({ galleryId, left, right: undefined, threshold: asPairScore(0) });
  await expect(all).rejects.toThrow(TooManyPairs);
});
