import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Stack } from '../harness/stack.js';
import { createGallery, embedding } from '../harness/story.js';
import { TestClient } from '../harness/test-client.js';
import { addKeys } from './keys.js';
import { Needles } from './needles.js';
import { enrolAndMatch, otherTraffic, showAndMatch } from './people.js';
import { addPhotographs, type Photograph, photographs } from './photographs.js';
import { readMemory } from './process-memory.js';
import { addFaces } from './vectors.js';

const FACES = 1_000;
const PHOTOGRAPHS = 12;
const KEYS = ['custody key', 'segment secret', 'segment key', 'database key'] as const;
/** `embedding`: of a photograph, in any form. */
const VECTORS = ['float64', 'float32', 'int16', 'int8', 'embedding'] as const;
/** Counted and printed; of the apps only that most are gone is asserted. */
const UPLOADED = ['JSON', 'JPEG', 'base64', 'pixels'] as const;
const KINDS = [...VECTORS, ...UPLOADED, ...KEYS];

type Found = Record<string, number>;

const none = (kinds: readonly string[]): Found => Object.fromEntries(kinds.map((kind) => [kind, 0]));

let stack: Stack;
let client: TestClient;
let gallery: string;
let shown: Photograph[];

/** By moment and process: what is printed in the end. */
const table: Record<string, Found> = {};

// Only root reads the memory of others; .ci/run is.
const asRoot = test.runIf(process.getuid?.() === 0 || process.env['CI'] === 'true');

beforeAll(async () => {
  stack = await Stack.start({
    apis: 0,
    env: { RATE_LIMIT_CLIENT_PER_MINUTE: '1000000', RATE_LIMIT_IP_PER_MINUTE: '1000000' },
  });
  await stack.startCustodian();
  await stack.startApi(stack.custody('velum_app'));
  await stack.startWorker(stack.custody('velum_worker'));
  client = await TestClient.create(stack);
  gallery = await createGallery(client);
  shown = await photographs(2 * PHOTOGRAPHS);
}, 300_000);

afterAll(async () => {
  // oxlint-disable-next-line no-console -- the table is what an operator runs it for
  console.table(table);
  await stack.stop();
});

asRoot(
  'of a thousand faces, enrolled and matched, no vector is left in memory, and only the custodian has its keys',
  async () => {
    const needles = await useAndSeek(0);
    await look('right after', needles);
    await otherTraffic(client, gallery, 10);
    await look('10 s of other traffic', needles);
    await otherTraffic(client, gallery, 50);
    await look('60 s of other traffic', needles);
  },
  900_000,
);

asRoot(
  'nor is one where nothing else is done afterwards',
  async () => {
    const needles = await useAndSeek(1);
    await look('right after, again', needles);
    await setTimeout(60_000);
    await look('60 s idle', needles);
  },
  900_000,
);

/** Answers what to look for. */
async function useAndSeek(round: number): Promise<Needles> {
  const faces = Array.from({ length: FACES }, (_, i) => embedding(100 + FACES * round + i));
  const photos = shown.slice(round * PHOTOGRAPHS, (round + 1) * PHOTOGRAPHS);
  expect(photos).toHaveLength(PHOTOGRAPHS);
  await enrolAndMatch(client, gallery, faces);
  await showAndMatch(client, gallery, photos);
  const needles = new Needles();
  addFaces(needles, faces);
  await addPhotographs(needles, photos);
  await addKeys(needles, stack);
  return needles;
}

/** How many faces and photographs, and whether keys, are in the memory of each process. */
async function look(moment: string, needles: Needles): Promise<void> {
  const found: Record<string, Found> = {};
  for (const [name, process] of [
    ['api', stack.apis[0]],
    ['worker', stack.worker],
    ['custodian', stack.custodians[0]],
  ] as const) {
    const seen = new Map(KINDS.map((kind) => [kind as string, new Set<number>()]));
    await readMemory(process?.pid ?? 0, (run) =>
      needles.search(run, (kind, owner) => seen.get(kind)?.add(owner)),
    );
    found[name] = Object.fromEntries([...seen].map(([kind, owners]) => [kind, owners.size]));
    table[`${moment}: ${name}`] = found[name];
  }
  const counted = Object.fromEntries(UPLOADED.map((kind) => [kind, expect.any(Number)]));
  const app = { ...none(KINDS), ...counted, 'database key': 1 };
  expect.soft(found).toEqual({
    // What the apps hold by right is found: so would the rest be.
    api: app,
    worker: app,
    // All but photographs and vectors.
    custodian: { ...none(KINDS), ...Object.fromEntries(KEYS.map((kind) => [kind, 1])) },
  });
  for (const name of ['api', 'worker']) expect.soft(found[name]?.['JSON']).toBeLessThan(FACES / 4);
}
