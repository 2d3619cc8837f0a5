import { CUSTODY, Keyring } from '#platform/keyring';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { velum } from '../harness/operator.js';
import { Stack } from '../harness/stack.js';
import { createGallery, embedding, enrolledPerson, ok, type Person, verify } from '../harness/story.js';
import { TestClient } from '../harness/test-client.js';

/** Enough to be killed in the middle of. */
const SEGMENTS = 12_000;

const FACE = embedding(1);
const [c1, c2] = ['c1', 'c2'].map((id) => `${id}:${randomBytes(32).toString('base64')}`);

let folder: string;
let stack: Stack;
let client: TestClient;
let gallery: string;
let person: Person;
const secrets: Record<string, Record<string, string>> = {};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'velum-custody-key-'));
  for (const [name, lines] of Object.entries({ old: [c1], known: [c1, c2], moved: [c2, c1], fresh: [c2] })) {
    const path = join(folder, name);
    writeFileSync(path, `${lines.join('\n')}\n`);
    secrets[name] = { CUSTODY_ENCRYPTION_KEY_FILE: path };
  }
  stack = await Stack.start({ apis: 0 });
  await restart('old');
  client = await TestClient.create(stack);
  gallery = await createGallery(client);
  person = await enrolledPerson(client, gallery, FACE);
});

afterAll(async () => {
  await stack.stop();
  rmSync(folder, { recursive: true });
});

test('the keys of custody are not those of the database, also where their lines have the same ids', async () => {
  expect(await keysInUse()).toEqual([`${CUSTODY}c1`]);
});

test('secrets of an installation of before open, and so do those that the version before must open', async () => {
  await putUnderDatabaseKey();
  await restart('old');
  expect(await verified()).toBe(true);
  const other = await createGallery(client);
  await enrolledPerson(client, other, FACE);
  expect(await keysInUse()).toEqual([databaseKey().currentKeyId]);
  expect((await status('old', '--require-current')).code).toBe(2);
});

test('once the version before is gone for good, the custodian puts them under its own key, which is recorded', async () => {
  const left = await segments();
  await restart('old', { CUSTODY_ADOPTION_HOURS: '0' });
  await expect.poll(keysInUse, { timeout: 30_000 }).toEqual([`${CUSTODY}c1`]);
  expect(await verified()).toBe(true);
  const worker = await stack.startWorker({ ...secrets['old'] });
  await expect.poll(records, { timeout: 30_000 }).toEqual([{ keyId: `${CUSTODY}c1`, values: left }]);
  await worker.stop();
  const told = await status('old', '--require-current');
  expect([told.code, told.stdout]).toEqual([0, expect.stringContaining(`than ${CUSTODY}c1: 0`)]);
});

test('a key is replaced while custodians are killed; then the old one is not needed', async () => {
  await insertSegments();
  const total = await segments();
  // The two of a deploy: the one whose first key is the old one undoes nothing.
  await restart('known');
  const killed: number[] = [];
  for (let kills = 0; kills < 2; kills++) {
    const before = await under(`${CUSTODY}c2`);
    const api = await stack.startApi(secrets['moved']);
    await expect.poll(() => under(`${CUSTODY}c2`), { timeout: 30_000, interval: 5 }).toBeGreaterThan(before);
    await api.stop('SIGKILL');
    killed.push(await under(`${CUSTODY}c2`));
  }
  expect(killed.at(-1)).toBeLessThan(total);
  await Promise.all([stack.startApi(secrets['moved']), stack.startApi(secrets['moved'])]);
  await expect.poll(keysInUse, { timeout: 60_000 }).toEqual([`${CUSTODY}c2`]);
  await stack.startWorker(secrets['moved']);
  // Each once, whoever was killed.
  await expect.poll(records, { timeout: 30_000 }).toContainEqual({ keyId: `${CUSTODY}c2`, values: total });
  await restart('fresh');
  expect(await verified()).toBe(true);
}, 180_000);

async function restart(kind: string, env: Record<string, string> = {}): Promise<void> {
  for (const api of stack.apis.splice(0)) await api.stop();
  const api = await stack.startApi({ ...secrets[kind], ...env });
  if (client !== undefined) client = client.at(api.url);
}

async function verified(): Promise<boolean> {
  return ok(await verify(client, gallery, person.subjectId, FACE)).match;
}

function status(kind: string, ...args: string[]): ReturnType<typeof velum> {
  return velum({ ...stack.env, ...secrets[kind] }, ['keys', 'status', ...args]);
}

function databaseKey(): Keyring {
  return keyringOf(
    readFileSync(join(stack.env['SECRETS_DIR'] ?? '', 'db_encryption_key'), 'utf8'),
    Keyring.parse,
  );
}

function keyringOf(text: string | undefined, parse: (text: string) => Keyring | undefined): Keyring {
  const keyring = parse(text ?? '');
  if (keyring === undefined) throw new Error('no keyring');
  return keyring;
}

interface SecretRow {
  readonly id: string;
  readonly gallery_id: string;
  readonly mask_seed: Buffer;
  readonly secret: Buffer;
}

function contextOf({ id, gallery_id, mask_seed }: Omit<SecretRow, 'secret'>): string {
  return `custody.segment ${gallery_id} ${id} ${mask_seed.toString('hex')}`;
}

/** As the version before left them, which had no other key. */
async function putUnderDatabaseKey(): Promise<void> {
  const { rows } = await stack.owner.query<SecretRow>(
    'SELECT s.id, s.gallery_id, s.secret, k.mask_seed FROM custody.segment s JOIN custody.key_set k USING (gallery_id)',
  );
  const [own, former] = [keyringOf(c1, Keyring.parseCustody), databaseKey()];
  for (const row of rows) {
    const secret = former.encrypt(own.decrypt(row.secret, contextOf(row)), contextOf(row));
    await stack.owner.query('UPDATE custody.segment SET secret = $2 WHERE id = $1', [row.id, secret]);
  }
  await stack.owner.query('TRUNCATE custody.wrapping_key');
}

async function insertSegments(): Promise<void> {
  const own = keyringOf(c1, Keyring.parseCustody);
  const [galleryId, maskSeed] = [randomUUID(), randomBytes(32)];
  await stack.owner.query(
    'INSERT INTO custody.key_set (gallery_id, dimension, mask_seed) VALUES ($1, 128, $2)',
    [galleryId, maskSeed],
  );
  const rows = Array.from({ length: SEGMENTS }, () => {
    const id = randomUUID();
    const context = contextOf({ id, gallery_id: galleryId, mask_seed: maskSeed });
    return { id, secret: own.encrypt(randomBytes(544), context) };
  });
  await stack.owner.query(
    `INSERT INTO custody.segment (id, gallery_id, secret)
     SELECT id, $1, secret FROM unnest($2::uuid[], $3::bytea[]) AS made (id, secret)`,
    [galleryId, rows.map(({ id }) => id), rows.map(({ secret }) => secret)],
  );
}

async function keysInUse(): Promise<string[]> {
  const { rows } = await stack.owner.query(
    'SELECT DISTINCT custody.key_of(secret) AS key FROM custody.segment',
  );
  return rows.map(({ key }) => key);
}

async function under(key: string): Promise<number> {
  return count('WHERE custody.key_of(secret) = $1', [key]);
}

function segments(): Promise<number> {
  return count('', []);
}

async function count(where: string, values: readonly string[]): Promise<number> {
  const { rows } = await stack.owner.query(`SELECT count(*)::int AS n FROM custody.segment ${where}`, [
    ...values,
  ]);
  return rows[0]?.n;
}

async function records(): Promise<unknown[]> {
  const { rows } = await stack.owner.query(
    `SELECT details FROM audit_event WHERE type = 'encryption_key.rotated' ORDER BY at`,
  );
  return rows.map(({ details }) => details);
}
