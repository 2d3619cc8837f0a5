import { CustodyDatabase } from '#custody/custody-database';
import { LocalKeyCustodian } from '#custody/local-key-custodian';
import { WrappingKeys } from '#custody/wrapping-keys';
import { cosineToPairScore } from '#homomorphic/quantised-vector';
import { loadConfig } from '#platform/config';
import { asId, type GalleryId, newId } from '#platform/ids';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { askWith, asSegmentRows, keepRows, type KeptRow } from '../harness/kept-rows.js';
import { Stack } from '../harness/stack.js';
import { createGallery, embedding, enrolledPerson, identify, ok, similar } from '../harness/story.js';
import { type Json, TestClient } from '../harness/test-client.js';

const face = embedding(1);
const probe = similar(face, 9);

const byNumber = (a: number, b: number): number => a - b;

let stack: Stack;
let client: TestClient;
/** Two replicas of the custodian, which remember what they were asked; beside those of the API and the worker. */
let replicas: LocalKeyCustodian[];
let databases: CustodyDatabase[];

beforeAll(async () => {
  stack = await Stack.start({ worker: true });
  client = await TestClient.create(stack);
  const config = loadConfig({ ...process.env, ...stack.env });
  databases = [await CustodyDatabase.connect(config), await CustodyDatabase.connect(config)];
  const keys = await WrappingKeys.load(config);
  replicas = databases.map((db) => new LocalKeyCustodian(db, config, keys));
  for (const replica of replicas) await replica.ready();
});

afterAll(async () => {
  for (const replica of replicas) await replica.onApplicationShutdown();
  for (const db of databases) await db.destroy();
  await stack.stop();
});

async function galleryOf(...faces: readonly number[][]): Promise<{ id: GalleryId; people: string[] }> {
  const id = await createGallery(client, { model: 'mine', dimension: 128 });
  const people: string[] = [];
  for (const each of faces) people.push((await enrolledPerson(client, id, each)).subjectId);
  return { id: asId<'gallery'>(id), people };
}

/** Slots that opened, as each replica says. */
async function opened(galleryId: GalleryId, kept: readonly KeptRow[]): Promise<number[][]> {
  const said = replicas.map((replica) => askWith(replica, galleryId, kept, probe));
  return (await Promise.all(said)).map((scores) => scores.map(({ slot }) => slot));
}

function retired(): Promise<void> {
  return vi.waitFor(
    async () => expect((await stack.owner.query('SELECT FROM slot_retirement')).rowCount).toBe(0),
    { timeout: 20_000, interval: 50 },
  );
}

test('who kept the row of an erased person, and can speak to the custodian, is told nothing of it', async () => {
  const { id, people } = await galleryOf(face, similar(face, 2), similar(face, 3));
  const kept = await keepRows(stack.owner, id);
  expect(await opened(id, kept)).toEqual([
    expect.arrayContaining([0, 1, 2]),
    expect.arrayContaining([0, 1, 2]),
  ]);
  ok(await client.delete(`/v1/subjects/${people[1]}`));
  await retired();
  for (const slots of await opened(id, kept)) expect(slots.toSorted(byNumber)).toEqual([0, 2]);
  for (const slots of await opened(id, kept.slice(1, 2))) expect(slots).toEqual([]);

  const rows = asSegmentRows(kept);
  const threshold = cosineToPairScore(0.9);
  for (const replica of replicas) {
    const pairs = await replica.comparePairs({ galleryId: id, left: rows, right: undefined, threshold });
    // By their places in the request, of which one is left out.
    expect(pairs.map(({ left, right }) => [left, right].toSorted(byNumber))).toEqual([[0, 2]]);
  }
  // The others are found as before.
  expect(ok(await identify(client, id, probe, 5)).candidates).toHaveLength(2);
});

test('an erasure that was answered is followed by it, whatever is killed in between', async () => {
  const { id, people } = await galleryOf(face, embedding(5));
  const kept = await keepRows(stack.owner, id);
  stack.worker?.kill('SIGKILL');
  const [template] = ok(await client.get(`/v1/galleries/${id}/subjects/${people[0]}/templates`));
  ok(await client.delete(`/v1/galleries/${id}/subjects/${people[0]}/templates/${template.id}`));
  await stack.apis[0]?.stop('SIGKILL');
  expect((await stack.owner.query('SELECT slot FROM slot_retirement')).rows).toEqual([{ slot: 0 }]);
  await stack.startWorker();
  client = client.at((await stack.startApi()).url);
  await retired();
  for (const slots of await opened(id, kept)) expect(slots).not.toContain(0);
});

test('what is held for a law is not opened either, nor where it moves to', async () => {
  const { id, people } = await galleryOf(face, similar(face, 2));
  const [kept, other] = await keepRows(stack.owner, id);
  if (kept === undefined || other === undefined) throw new Error('no rows');
  const policy: Json = JSON.parse(readFileSync('libs/policy/jurisdictions/eu-gdpr.json', 'utf8'));
  const afterErasureRequest = { value: 'P2D', source: 'XX-KEEPS section 7' };
  const document = { ...policy, code: 'XX-KEEPS', retention: { ...policy.retention, afterErasureRequest } };
  await stack.owner.query(
    'INSERT INTO jurisdiction_policy (jurisdiction, revision, document) VALUES ($1, 1, $2)',
    [document.code, document],
  );
  await stack.owner.query('UPDATE subject SET jurisdiction = $2 WHERE id = $1', [people[0], document.code]);
  expect(ok(await client.delete(`/v1/subjects/${people[0]}`)).destroyAfter).toEqual(expect.any(String));
  await retired();
  for (const slots of await opened(id, [kept])) expect(slots).toEqual([]);
  // As a rotation of the gallery's keys does later on.
  const moved = await stack.owner.query('UPDATE held_template SET slot = $2 WHERE gallery_id = $1', [
    id,
    other.slot,
  ]);
  expect(moved.rowCount).toBe(1);
  await retired();
  for (const slots of await opened(id, [other])) expect(slots).toEqual([]);
});

test('an erasure that is rolled back retires nothing', async () => {
  const { id } = await galleryOf(face);
  const kept = await keepRows(stack.owner, id);
  const db = await stack.owner.connect();
  await db.query('BEGIN; DELETE FROM template; ROLLBACK');
  db.release();
  expect((await stack.owner.query('SELECT FROM slot_retirement')).rowCount).toBe(0);
  expect(await opened(id, kept)).toEqual([[0], [0]]);
});

test('whoever notes the end of a gallery that is there does not end it', async () => {
  const { id } = await galleryOf(face);
  const note = 'INSERT INTO key_set_destruction (gallery_id, client_id, details) VALUES ($1, $2, $3)';
  const ended = newId<'gallery'>();
  for (const each of [id, ended]) await stack.owner.query(note, [each, newId<'client'>(), {}]);
  // The worker looks for all of them at once.
  await vi.waitFor(
    async () =>
      expect((await stack.owner.query('SELECT gallery_id FROM key_set_destruction')).rows).toEqual([
        { gallery_id: id },
      ]),
    { timeout: 20_000, interval: 50 },
  );
  expect(ok(await identify(client, id, probe)).candidates).toHaveLength(1);
  await stack.owner.query('DELETE FROM key_set_destruction');
});

test('a slot that is retired stays so, and one that was not given yet is not', async () => {
  const { id } = await galleryOf(face);
  const [row] = await keepRows(stack.owner, id);
  const segmentId = asId<'segment'>(row?.segmentId ?? '');
  await replicas[0]?.retire([
    { segmentId, slot: 1 },
    { segmentId, slot: 2_047 },
  ]);
  expect(ok(await identify(client, id, probe)).candidates).toHaveLength(1);
  await enrolledPerson(client, id, similar(face, 7));
  expect(ok(await identify(client, id, probe, 5)).candidates).toHaveLength(2);
  await replicas[0]?.retire([{ segmentId, slot: 0 }]);
  await expect(
    stack.owner.query(`UPDATE custody.retired SET slots = repeat('0', 2048)::bit(2048)`),
  ).rejects.toThrow(/never opened again/);
  await expect(databases[0]?.query('DELETE FROM custody.retired')).rejects.toMatchObject({ code: '42501' });
});

test('what many replicas retire at once, none of them opens', async () => {
  const { id } = await galleryOf(...Array.from({ length: 24 }, (_, n) => similar(face, 20 + n)));
  const kept = await keepRows(stack.owner, id);
  const gone = kept.filter((_, n) => n % 3 !== 0);
  const told = gone.map(({ segmentId, slot }, n) =>
    replicas[n % 2]?.retire([{ segmentId: asId<'segment'>(segmentId), slot }]),
  );
  const asked = Array.from({ length: 10 }, () => opened(id, kept));
  await Promise.all([...told, ...asked]);
  const left = kept.filter((_, n) => n % 3 === 0).map(({ slot }) => slot);
  for (const slots of await opened(id, kept)) expect(slots.toSorted(byNumber)).toEqual(left);
});
