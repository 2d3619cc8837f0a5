import { CustodyDatabase } from '#custody/custody-database';
import { CustodyNotAdopted } from '#custody/custody.errors';
import { LocalKeyCustodian } from '#custody/local-key-custodian';
import { WrappingKeys } from '#custody/wrapping-keys';
import { asMaskSeed } from '#homomorphic/mask-seed';
import { SLOTS_PER_SEGMENT } from '#homomorphic/parameters';
import { quantiseTemplate } from '#homomorphic/quantised-vector';
import { SealEngine } from '#homomorphic/seal-engine';
import { asPad, sealTemplate } from '#homomorphic/sealed-row';
import { asSegmentSecret, SegmentKey } from '#homomorphic/segment-key';
import { loadConfig } from '#platform/config';
import { type GalleryId, newId } from '#platform/ids';
import { Keyring } from '#platform/keyring';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { Stack } from '../harness/stack.js';
import { createGallery, embedding, enrolledPerson, ok } from '../harness/story.js';
import { type Json, TestClient } from '../harness/test-client.js';

const DIMENSION = 64;
const [c1, c2] = ['c1', 'c2'].map((id) => `${id}:${randomBytes(32).toString('base64')}`);
const template = quantiseTemplate(embedding(1, DIMENSION));

let folder: string;
let stack: Stack;
let engine: SealEngine;
let galleryId: GalleryId;
const running: (() => Promise<void>)[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'velum-adoption-'));
  stack = await Stack.start({ apis: 0 });
  engine = await SealEngine.create();
});

afterAll(async () => {
  await stack.stop();
  rmSync(folder, { recursive: true });
});

/** One gallery with one segment, as the version before made them. */
beforeEach(async () => {
  await stack.owner.query('TRUNCATE custody.key_set, custody.wrapping_key CASCADE');
  galleryId = newId<'gallery'>();
  const [id, maskSeed] = [randomUUID(), randomBytes(32)];
  await stack.owner.query(
    'INSERT INTO custody.key_set (gallery_id, dimension, mask_seed) VALUES ($1, $2, $3)',
    [galleryId, DIMENSION, maskSeed],
  );
  const secret = databaseKey().encrypt(engine.createSegmentSecret(), contextOf(id, maskSeed));
  await stack.owner.query(
    'INSERT INTO custody.segment (id, gallery_id, secret, used) VALUES ($1, $2, $3, $4)',
    [id, galleryId, secret, SLOTS_PER_SEGMENT],
  );
});

afterEach(async () => {
  for (const stop of running.splice(0)) await stop();
});

async function custodian(
  lines: readonly (string | undefined)[],
  adoptionHours = 24,
): Promise<LocalKeyCustodian> {
  const path = join(folder, randomUUID());
  writeFileSync(path, lines.join('\n'));
  const config = loadConfig({
    ...process.env,
    ...stack.env,
    CUSTODY_ENCRYPTION_KEY_FILE: path,
    CUSTODY_ADOPTION_HOURS: String(adoptionHours),
  });
  const db = await CustodyDatabase.connect(config);
  const started = new LocalKeyCustodian(db, config, await WrappingKeys.load(config));
  running.push(async () => {
    await started.onApplicationShutdown();
    await db.destroy();
  });
  await started.onModuleInit();
  return started;
}

function databaseKey(): Keyring {
  const text = readFileSync(join(stack.env['SECRETS_DIR'] ?? '', 'db_encryption_key'), 'utf8');
  const keyring = Keyring.parse(text);
  if (keyring === undefined) throw new Error('no keyring');
  return keyring;
}

function contextOf(segmentId: string, maskSeed: Buffer): string {
  return `custody.segment ${galleryId} ${segmentId} ${maskSeed.toString('hex')}`;
}

/** By the version before, to which what db_encryption_key opens is the segment's secret. */
async function sealedBefore(segmentId: string, slot: number): Promise<Uint8Array> {
  const { rows } = await stack.owner.query<{ secret: Buffer; mask_seed: Buffer }>(
    'SELECT secret, mask_seed FROM custody.segment JOIN custody.key_set USING (gallery_id) WHERE id = $1',
    [segmentId],
  );
  const [row] = rows;
  if (row === undefined) throw new Error('no such segment');
  const secret = databaseKey().decrypt(row.secret, contextOf(segmentId, row.mask_seed));
  const key = new SegmentKey(engine.ring, asSegmentSecret(new Uint8Array(secret)));
  const pads = key.pads(asMaskSeed(new Uint8Array(row.mask_seed)), DIMENSION);
  return sealTemplate(asPad(pads.slice(slot * DIMENSION, (slot + 1) * DIMENSION)), template);
}

async function newSegments(): Promise<{ key: string; under_share: boolean }[]> {
  const { rows } = await stack.owner.query(
    `SELECT custody.key_of(secret) AS key, under_share FROM custody.segment WHERE used < ${SLOTS_PER_SEGMENT}`,
  );
  return rows;
}

test('while the version before may come back, it opens what is sealed in new segments, and no keys are replaced', async () => {
  const both = await custodian([c1]);
  const [sealed] = await both.seal(galleryId, [quantiseTemplate(embedding(1, DIMENSION))]);
  expect(sealed?.row).toEqual(await sealedBefore(sealed?.segmentId ?? '', sealed?.slot ?? 0));
  await expect(both.beginRotation(galleryId, newId<'key-rotation'>())).rejects.toThrow(CustodyNotAdopted);
});

test('once custody is adopted, new segments are under its key and a share, and keys can be replaced', async () => {
  const alone = await custodian([c1], 0);
  await alone.seal(galleryId, [quantiseTemplate(embedding(1, DIMENSION))]);
  expect(await newSegments()).toEqual([{ key: 'custody:c1', under_share: true }]);
  expect(await alone.beginRotation(galleryId, newId<'key-rotation'>())).toHaveLength(2);
});

test('new segments stay under keys of custody while the next key is known and not used yet', async () => {
  await custodian([c1], 0);
  const known = await custodian([c1, c2], 0);
  await known.seal(galleryId, [quantiseTemplate(embedding(1, DIMENSION))]);
  expect(await newSegments()).toEqual([{ key: 'custody:c1', under_share: true }]);
});

test('of two keys that come at once where none is used, the first takes what is there', async () => {
  for (let i = 0; i < 2; i++) {
    await stack.owner.query('TRUNCATE custody.wrapping_key');
    await custodian(i === 0 ? [c1, c2] : [c2, c1], 0);
    const { rows } = await stack.owner.query('SELECT key_id FROM wrapping_keys() WHERE newest');
    expect(rows).toEqual([{ key_id: `custody:${i === 0 ? 'c1' : 'c2'}` }]);
  }
});

test('a rotation that was asked for meanwhile says until when it waits, and goes on then', async () => {
  await stack.startCustodian();
  await stack.startApi(stack.custody('velum_app'));
  const client = await TestClient.create(stack);
  const gallery = await createGallery(client);
  await enrolledPerson(client, gallery, embedding(1));
  const rotations = `/v1/admin/galleries/${gallery}/key-rotations`;
  const { id } = ok(await client.post(rotations));
  await stack.startWorker(stack.custody('velum_worker'));
  const follow = async (): Promise<Json> => ok(await client.get(`${rotations}/${id}`));
  await expect.poll(async () => (await follow()).waitsFor, { timeout: 30_000 }).toBe('adoption');
  const { rows } = await stack.owner.query(
    `SELECT min(seen_at) + interval '24 hours' AS due FROM custody.wrapping_key`,
  );
  expect(await follow()).toMatchObject({ state: 'requested', waitsUntil: rows[0].due.toISOString() });
  await stack.owner.query(`UPDATE custody.wrapping_key SET seen_at = seen_at - interval '1 day'`);
  await expect.poll(async () => (await follow()).state, { timeout: 60_000 }).toBe('rotated');
  expect(await follow()).toMatchObject({ waitsFor: null, waitsUntil: null, moved: 1, left: 0 });
}, 120_000);
