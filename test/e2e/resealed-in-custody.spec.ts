import { CustodyDatabase } from '#custody/custody-database';
import { KeySetNotFound, OpeningRefused, SegmentUnknown } from '#custody/custody.errors';
import type { PlacedRows, SealedTemplate } from '#custody/key-custodian';
import { LocalKeyCustodian } from '#custody/local-key-custodian';
import { WrappingKeys } from '#custody/wrapping-keys';
import {
  asQuantisedTemplate,
  innerProduct,
  type QuantisedTemplate,
  quantiseProbe,
  quantiseTemplate,
} from '#homomorphic/quantised-vector';
import { loadConfig } from '#platform/config';
import { type GalleryId, newId, type SegmentId } from '#platform/ids';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exactScores } from '../harness/exact-scores.js';
import { Stack } from '../harness/stack.js';
import { embedding } from '../harness/story.js';

const DIMENSION = 64;

let stack: Stack;
let db: CustodyDatabase;
let start: () => LocalKeyCustodian;
let custodian: LocalKeyCustodian;
/** Another process on the same tables. */
let other: LocalKeyCustodian;

beforeAll(async () => {
  stack = await Stack.start({ apis: 0 });
  const config = loadConfig({ ...process.env, ...stack.env });
  db = await CustodyDatabase.connect(config);
  const keys = await WrappingKeys.load(config);
  start = () => new LocalKeyCustodian(db, config, keys);
  [custodian, other] = [start(), start()];
  await Promise.all([custodian.onModuleInit(), other.onModuleInit()]);
});

afterAll(async () => {
  await Promise.all([custodian.onApplicationShutdown(), other.onApplicationShutdown()]);
  await db.destroy();
  await stack.stop();
});

/** The custodian takes over what it seals. */
const copyOf = (template: QuantisedTemplate): QuantisedTemplate => asQuantisedTemplate(template.slice());

async function sealedGallery(
  templates: readonly QuantisedTemplate[],
): Promise<{ galleryId: GalleryId; sealed: readonly SealedTemplate[] }> {
  const galleryId = newId<'gallery'>();
  await custodian.createKeySet(galleryId, DIMENSION);
  return { galleryId, sealed: await custodian.seal(galleryId, templates.map(copyOf)) };
}

function placed(sealed: readonly SealedTemplate[]): PlacedRows {
  const [first] = sealed;
  if (first === undefined) throw new Error('no rows');
  return {
    segmentId: first.segmentId,
    slots: Uint16Array.from(sealed, ({ slot }) => slot),
    rows: new Uint8Array(Buffer.concat(sealed.map(({ row }) => row))),
  };
}

function named(sealed: readonly SealedTemplate[]): (SealedTemplate & { name: string })[] {
  return sealed.map((each, n) => ({ ...each, name: String(n) }));
}

function begin(galleryId: GalleryId): Promise<readonly SegmentId[]> {
  return custodian.beginRotation(galleryId, newId<'key-rotation'>());
}

test('whatever the faces, they score under the new keys what they scored under the old: the plaintext integers', async () => {
  const face = fc.array(fc.integer({ min: -1_000, max: 1_000 }), {
    minLength: DIMENSION,
    maxLength: DIMENSION,
  });
  const faces = face.filter((values) => values.some((value) => value !== 0));
  await fc.assert(
    fc.asyncProperty(fc.array(faces, { minLength: 1, maxLength: 40 }), faces, async (people, asked) => {
      const templates = people.map((values) => quantiseTemplate(values));
      const probe = quantiseProbe(asked);
      const expected = new Map(templates.map((template, n) => [String(n), innerProduct(template, probe)]));
      const { galleryId, sealed } = await sealedGallery(templates);
      expect(await exactScores(custodian, galleryId, probe, named(sealed))).toEqual(expected);
      await begin(galleryId);
      const moved = await custodian.reseal(galleryId, placed(sealed));
      expect(moved.map(({ row }) => Buffer.from(row).toString('hex'))).not.toEqual(
        sealed.map(({ row }) => Buffer.from(row).toString('hex')),
      );
      expect(await exactScores(custodian, galleryId, probe, named(moved))).toEqual(expected);
      // Beside it, until the old keys are destroyed.
      expect(await exactScores(other, galleryId, probe, named(sealed))).toEqual(expected);
    }),
    { numRuns: 15 },
  );
});

test('rows move to new segments, more than one of them holds, and once only under each pad', async () => {
  const templates = Array.from({ length: 2_100 }, (_, i) => quantiseTemplate(embedding(i + 1, DIMENSION)));
  const { galleryId, sealed } = await sealedGallery(templates);
  const old = await begin(galleryId);
  const bySegment = Map.groupBy(sealed, ({ segmentId }) => segmentId);
  expect(old).toEqual([...bySegment.keys()].toSorted());
  // As if a worker died: the slots of this first try are lost.
  const first = [...bySegment.values()][0]?.slice(0, 300) ?? [];
  const lost = await custodian.reseal(galleryId, placed(first));
  const moved: SealedTemplate[] = [];
  for (const share of bySegment.values()) {
    moved.push(...(await custodian.reseal(galleryId, placed(share))));
  }
  const places = [...sealed, ...lost, ...moved].map(({ segmentId, slot }) => `${segmentId} ${slot}`);
  expect(new Set(places).size).toBe(2_100 + 300 + 2_100);
  expect(moved.every(({ segmentId }) => !bySegment.has(segmentId))).toBe(true);
  const probe = quantiseProbe(embedding(7, DIMENSION));
  const scores = await exactScores(custodian, galleryId, probe, named(moved));
  expect([...scores.values()]).toHaveLength(2_100);
  templates.forEach((template, n) => expect(scores.get(String(n))).toBe(innerProduct(template, probe)));
});

test('beginning a rotation twice changes nothing, and templates are sealed under the new keys from then on', async () => {
  const template = quantiseTemplate(embedding(1, DIMENSION));
  const { galleryId, sealed } = await sealedGallery([template]);
  const rotation = newId<'key-rotation'>();
  const old = await custodian.beginRotation(galleryId, rotation);
  const [later] = await custodian.seal(galleryId, [copyOf(template)]);
  expect(old).toEqual([sealed[0]?.segmentId]);
  expect(old).not.toContain(later?.segmentId);
  expect(await other.beginRotation(galleryId, rotation)).toEqual(old);
  expect((await other.seal(galleryId, [copyOf(template)]))[0]?.segmentId).toBe(later?.segmentId);
});

test('rows that need not move, that hold nothing, or of another gallery are not sealed anew', async () => {
  const template = quantiseTemplate(embedding(1, DIMENSION));
  const { galleryId, sealed } = await sealedGallery([template, template]);
  const rows = placed(sealed);
  await expect(custodian.reseal(galleryId, rows)).rejects.toThrow(OpeningRefused);
  const stranger = await sealedGallery([template]);
  for (const id of [galleryId, stranger.galleryId]) await begin(id);
  await expect(custodian.reseal(stranger.galleryId, rows)).rejects.toThrow(OpeningRefused);
  const unused = { ...rows, slots: Uint16Array.of(0, 2) };
  await expect(custodian.reseal(galleryId, unused)).rejects.toThrow(OpeningRefused);
  const twice = { ...rows, slots: Uint16Array.of(1, 1) };
  await expect(custodian.reseal(galleryId, twice)).rejects.toThrow(OpeningRefused);
  const short = { ...rows, slots: Uint16Array.of(1) };
  await expect(custodian.reseal(galleryId, short)).rejects.toThrow(RangeError);
  await expect(custodian.reseal(galleryId, rows)).resolves.toHaveLength(2);
});

test('once the old keys are destroyed, no process opens what was sealed under them, and the new ones cannot be named', async () => {
  const template = quantiseTemplate(embedding(1, DIMENSION));
  const probe = quantiseProbe(embedding(1, DIMENSION));
  const { galleryId, sealed } = await sealedGallery([template]);
  const before = [(await custodian.held()).keys, (await other.held()).keys];
  // From now on both processes hold the key.
  for (const each of [custodian, other]) {
    expect((await exactScores(each, galleryId, probe, named(sealed))).size).toBe(1);
  }
  const old = await begin(galleryId);
  const moved = await custodian.reseal(galleryId, placed(sealed));
  const fresh = moved.map(({ segmentId }) => segmentId);
  await custodian.destroySegments(galleryId, [...old, ...fresh]);
  for (const [n, each] of [custodian, other].entries()) {
    await expect(exactScores(each, galleryId, probe, named(sealed))).rejects.toThrow(SegmentUnknown);
    expect((await exactScores(each, galleryId, probe, named(moved))).get('0')).toBe(
      innerProduct(template, probe),
    );
    expect((await each.held()).keys).toBeLessThanOrEqual((before[n] ?? 0) + 1);
  }
  const { rows } = await stack.owner.query('SELECT id FROM custody.segment WHERE gallery_id = $1', [
    galleryId,
  ]);
  expect(rows.map(({ id }) => id)).toEqual(fresh);
});

test('what one process destroys leaves the memory of the others, whether or not they are asked for it again', async () => {
  const template = quantiseTemplate(embedding(1, DIMENSION));
  const probe = quantiseProbe(embedding(1, DIMENSION));
  const third = start();
  await third.onModuleInit();
  try {
    const galleries = [];
    for (let n = 0; n < 3; n++) {
      const gallery = await sealedGallery([template]);
      await third.seal(gallery.galleryId, [copyOf(template)]);
      await exactScores(third, gallery.galleryId, probe, named(gallery.sealed));
      galleries.push(gallery);
    }
    const [asked, unasked, renewed] = galleries;
    if (asked === undefined || unasked === undefined || renewed === undefined)
      throw new Error('no galleries');
    const { keys } = await third.held();
    expect(keys).toBeGreaterThanOrEqual(3);
    await custodian.destroy(asked.galleryId);
    await expect(exactScores(third, asked.galleryId, probe, named(asked.sealed))).rejects.toThrow(
      KeySetNotFound,
    );
    expect((await third.held()).keys).toBeLessThan(keys);
    await custodian.destroy(unasked.galleryId);
    await custodian.destroySegments(renewed.galleryId, await begin(renewed.galleryId));
    third.onApplicationBootstrap();
    await expect.poll(() => third.held(), { timeout: 20_000 }).toEqual({ keys: 0, padBytes: 0 });
  } finally {
    await third.onApplicationShutdown();
  }
});

test('a rotation ends, slots are retired and a gallery is destroyed at the same time without a deadlock', async () => {
  const { galleryId, sealed } = await sealedGallery([quantiseTemplate(embedding(1, DIMENSION))]);
  const old = await begin(galleryId);
  const retiring = await stack.owner.connect();
  try {
    await retiring.query('BEGIN');
    await retiring.query('SELECT FROM custody.key_set WHERE gallery_id = $1 FOR NO KEY UPDATE', [galleryId]);
    const ended = custodian.destroySegments(galleryId, old);
    await expect
      .poll(async () => (await stack.owner.query('SELECT FROM pg_locks WHERE NOT granted')).rowCount)
      .toBe(1);
    // What the foreign key of a retired slot does next.
    await retiring.query('SELECT FROM custody.segment WHERE id = $1 FOR KEY SHARE NOWAIT', [
      sealed[0]?.segmentId,
    ]);
    await retiring.query('COMMIT');
    await ended;
  } finally {
    retiring.release(true);
  }
});

test('templates that were not sealed do not stay in the memory of whoever asked for it', async () => {
  const { galleryId } = await sealedGallery([]);
  const good = quantiseTemplate(embedding(1, DIMENSION));
  const bad = quantiseTemplate(embedding(2, 2 * DIMENSION));
  await expect(custodian.seal(galleryId, [good, bad])).rejects.toThrow(RangeError);
  expect([...good, ...bad].every((value) => value === 0)).toBe(true);
});
