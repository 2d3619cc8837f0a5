import { LocalKeyCustodian } from '#custody/local-key-custodian';
import { WrappingKeys } from '#custody/wrapping-keys';
import { expandMasks } from '#homomorphic/mask-seed';
import { RingKernel } from '#homomorphic/kernel/ring-kernel';
import { loadKernel, RowMemory } from '#homomorphic/kernel/row-memory';
import { asScore, innerProduct, quantiseProbe, quantiseTemplate } from '#homomorphic/quantised-vector';
import { loadConfig } from '#platform/config';
import { dataSourceOptions } from '#platform/data-source';
import { newId } from '#platform/ids';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openMatched } from '../harness/matching.js';
import { Stack } from '../harness/stack.js';
import { embedding } from '../harness/story.js';

const DIMENSION = 64;

const silent = (): void => undefined;
const byPlace = (a: { n: number }, b: { n: number }): number => a.n - b.n;

let stack: Stack;
let db: DataSource;
let custodian: LocalKeyCustodian;
let statements = 0;

beforeAll(async () => {
  stack = await Stack.start({ apis: 0 });
  const config = loadConfig({ ...process.env, ...stack.env });
  db = await new DataSource({
    ...dataSourceOptions(config.custodianDatabaseUrl ?? '', 'bulk'),
    logging: true,
    logger: {
      logQuery: () => void statements++,
      logQueryError: silent,
      logQuerySlow: silent,
      logSchemaBuild: silent,
      logMigration: silent,
      log: silent,
    },
  }).initialize();
  custodian = new LocalKeyCustodian(db, config, await WrappingKeys.load(config));
  await custodian.ready();
});

afterAll(async () => {
  await custodian.onApplicationShutdown();
  await db.destroy();
  await stack.stop();
});

test('ten thousand templates are sealed with a few statements, each under a pad of its own, and all open', async () => {
  const galleryId = newId<'gallery'>();
  await custodian.createKeySet(galleryId, DIMENSION);
  const templates = Array.from({ length: 10_000 }, (_, i) => quantiseTemplate(embedding(i + 1, DIMENSION)));
  const before = statements;
  const sealed = await custodian.seal(
    galleryId,
    templates.map((template) => quantiseTemplate(template)),
  );
  // Five segments, each opened in a transaction of a few statements.
  expect(statements - before).toBeLessThan(60);
  expect(new Set(sealed.map(({ segmentId, slot }) => `${segmentId} ${slot}`)).size).toBe(10_000);

  const [kernel, ring] = await Promise.all([loadKernel(), RingKernel.load()]);
  const masks = new RowMemory(kernel, DIMENSION);
  masks.setRows(expandMasks(ring, await custodian.maskSeed(galleryId), DIMENSION));
  const probe = quantiseProbe(embedding(7_777, DIMENSION));
  const [c1] = masks.products([probe]);
  const bySegment = Map.groupBy(sealed.entries(), ([, { segmentId }]) => segmentId);
  const segments = [...bySegment].map(([segmentId, share]) => {
    const rows = new RowMemory(kernel, DIMENSION);
    for (const [, { slot, row }] of share) rows.setRow(slot, row);
    const [c0] = rows.products([probe]);
    if (c0 === undefined) throw new Error('no products');
    return { segmentId, slots: Uint16Array.from(share, ([, { slot }]) => slot), c0 };
  });
  if (c1 === undefined) throw new Error('no products');
  const opened = await openMatched(custodian, {
    about: 'gallery',
    clientId: newId(),
    galleryId,
    probe,
    c1,
    segments,
    threshold: asScore(20_000),
    limit: 200,
  });
  const placed = opened.map(({ segmentId, slot, score }) => {
    const n = sealed.findIndex((each) => each.segmentId === segmentId && each.slot === slot);
    return { n, score };
  });
  const expected = templates
    .map((template, n) => ({ n, score: innerProduct(template, probe) }))
    .filter(({ score }) => score >= 20_000)
    .sort((a, b) => b.score - a.score);
  expect(placed.toSorted(byPlace)).toEqual(expected.slice(0, 200).toSorted(byPlace));
  expect(placed[0]?.n).toBe(7_776);
});

test('many callers at once never get one slot twice, at the end of segments neither', async () => {
  const galleryId = newId<'gallery'>();
  await custodian.createKeySet(galleryId, DIMENSION);
  const sealed = await Promise.all(
    Array.from({ length: 40 }, (_, caller) =>
      custodian.seal(
        galleryId,
        Array.from({ length: 1 + ((caller * 37) % 150) }, (__, i) =>
          quantiseTemplate(embedding(caller * 200 + i + 1, DIMENSION)),
        ),
      ),
    ),
  );
  const places = sealed.flat().map(({ segmentId, slot }) => `${segmentId} ${slot}`);
  expect(places.length).toBeGreaterThan(2_048);
  expect(new Set(places).size).toBe(places.length);
});
