import { encrypt } from '#backup/age-file';
import { dumpName, readManifest, writeManifest } from '#backup/manifest';
import { openStore } from '#backup/open-store';
import { CustodyDatabase } from '#custody/custody-database';
import { OpeningRefused } from '#custody/custody.errors';
import { LocalKeyCustodian } from '#custody/local-key-custodian';
import { WrappingKeys } from '#custody/wrapping-keys';
import { innerProduct, quantiseProbe, quantiseTemplate } from '#homomorphic/quantised-vector';
import { loadConfig } from '#platform/config';
import { asId, type GalleryId } from '#platform/ids';
import { Keyring } from '#platform/keyring';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { asOwner, migrateDatabase, prepareDatabase } from '../../infra/dev/database.js';
import { backupPlaces, opened, startBackedUpStack } from '../harness/backed-up-stack.js';
import { type DebianPostgres, hasDebianPostgres } from '../harness/debian-postgres.js';
import { askWith, keepRows } from '../harness/kept-rows.js';
import { velum } from '../harness/operator.js';
import type { Stack } from '../harness/stack.js';
import { createGallery, embedding, enrolledPerson, identify, ok, similar } from '../harness/story.js';
import { type Json, TestClient } from '../harness/test-client.js';
import type { Ended } from '../harness/velum-command.js';

const GALLERY = { model: 'mine', dimension: 128 };
const face = embedding(1);
const probe = similar(face, 2);
const score = innerProduct(quantiseTemplate(face), quantiseProbe(probe));

/** What a key archive says of a gallery. */
interface Share {
  readonly galleryId: string;
  readonly share: string;
}

describe.skipIf(!hasDebianPostgres && process.env['CI'] === undefined)('a gallery that is destroyed', () => {
  const scratch = mkdtempSync(join(inject('services').scratch, 'destroyed-'));
  const { target, identity } = backupPlaces(scratch);
  let server: DebianPostgres;
  let stack: Stack;
  let client: TestClient;
  let lasting: GalleryId;
  let doomed: GalleryId;
  let before: string;
  /** Of the day of that backup, and after the next one. */
  let [archiveThen, archiveNow]: [Share[], Share[]] = [[], []];

  beforeAll(async () => {
    ({ server, stack } = await startBackedUpStack(scratch, { target, identity }));
    client = await TestClient.create(stack);
    lasting = asId<'gallery'>(await createGallery(client, GALLERY));
    doomed = asId<'gallery'>(await createGallery(client, GALLERY));
    for (const gallery of [lasting, doomed]) await enrolledPerson(client, gallery, face);
    before = await backup();
    archiveThen = await archive();
    ok(await client.delete(`/v1/galleries/${doomed}`));
    await backup();
    archiveNow = await archive();
  });

  afterAll(async () => {
    await stack?.stop();
    server?.stop();
    rmSync(scratch, { recursive: true, force: true });
  });

  async function backup(): Promise<string> {
    const run = await velum({ ...stack.env }, [
      'backup',
      'run',
      '--identity',
      identity,
      '--no-prune',
      '--json',
    ]);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    return JSON.parse(run.stdout).manifest.id;
  }

  function attempt(env: Readonly<Record<string, string>>): Promise<Ended> {
    return velum({ ...stack.env, ...env }, ['backup', 'run', '--no-prune']);
  }

  async function archive(): Promise<Share[]> {
    const [only, ...others] = readdirSync(join(target, 'keys'));
    expect(others).toEqual([]);
    const { body } = JSON.parse((await opened(join(target, 'keys', only ?? ''), identity)).toString());
    return JSON.parse(body).shares;
  }

  /** Whoever has the backup, its private key and every secret of today, and none of our commands in the way. */
  async function stolen(
    shares: readonly Share[],
    tamper?: string,
  ): Promise<(galleryId: GalleryId) => Promise<number[]>> {
    const name = `stolen_${Math.random().toString(36).slice(2)}`;
    const url = `${server.url}/${name}`;
    await asOwner(`${server.url}/postgres`, (db) => db.query(`CREATE DATABASE ${name}`));
    const args = ['--no-owner', '--no-privileges', '--dbname', url];
    const dump = await opened(join(target, `${before}.dump.age`), identity);
    const poured = spawnSync(join(server.programs, 'pg_restore'), args, { input: dump, encoding: 'utf8' });
    expect([poured.status, poured.stderr]).toEqual([0, '']);
    const pool = new Pool({ connectionString: url, max: 1 });
    for (const { galleryId, share } of shares) {
      await pool.query(`INSERT INTO custody.key_share VALUES ($1, decode($2, 'base64'))`, [galleryId, share]);
    }
    if (tamper !== undefined) await pool.query(tamper);
    return async (galleryId) => {
      const config = loadConfig({ ...process.env, ...stack.env, CUSTODIAN_DATABASE_URL: url });
      const db = await CustodyDatabase.connect(config);
      const custodian = new LocalKeyCustodian(db, config, await WrappingKeys.load(config));
      try {
        const rows = await keepRows(pool, galleryId);
        expect(rows).toHaveLength(1);
        return (await askWith(custodian, galleryId, rows, probe)).map((candidate) => Number(candidate.score));
      } finally {
        await custodian.onApplicationShutdown();
        await db.destroy();
        await pool.end();
      }
    };
  }

  test('has its share in no backup: the archive beside them held it until the next one was made', () => {
    expect(galleries(archiveThen)).toEqual([lasting, doomed].sort());
    expect(galleries(archiveNow)).toEqual([lasting]);
  });

  test('is not opened by who has a backup from before, its private key, the key archive and every secret', async () => {
    await expect((await stolen(archiveNow))(doomed)).rejects.toThrow(OpeningRefused);
    // Nor by who takes what is stored for the secret itself, or another gallery's share.
    const bare = await stolen(
      archiveNow,
      'DROP TRIGGER keep_used ON custody.segment; UPDATE custody.segment SET under_share = false',
    );
    expect(await bare(doomed)).not.toContain(score);
    const foreign = archiveNow.map(({ share }) => ({ galleryId: doomed, share }));
    expect(await (await stolen(foreign))(doomed)).not.toContain(score);
    // What was not destroyed opens so, and so did this one with the archive of the day: the attempts above are good ones.
    expect(await (await stolen(archiveNow))(lasting)).toEqual([score]);
    expect(await (await stolen(archiveThen))(doomed)).toEqual([score]);
  });

  test('is not the reason to lose the others: a fresh database on the same target makes no backup, nor one whose clock is behind', async () => {
    const name = `fresh_${process.pid}`;
    const secrets = stack.env['SECRETS_DIR'] ?? '';
    const urls = await prepareDatabase(server.url, name, secrets);
    migrateDatabase(urls.owner);
    const fresh = { MIGRATION_DATABASE_URL: urls.owner, BACKUP_DATABASE_URL: urls.backup };
    expect(await attempt(fresh)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('another database'),
    });
    const elsewhere = join(scratch, 'ahead');
    mkdirSync(join(elsewhere, 'keys'), { recursive: true });
    writeFileSync(join(elsewhere, 'keys', '99990101T000000Z-abcdef.json.age'), '');
    const behind = await attempt({ BACKUP_TARGET: elsewhere });
    expect(behind).toMatchObject({ code: 1, stderr: expect.stringContaining('clock') });
    expect(await archive()).toEqual(archiveNow);
    expect(galleries(archiveNow)).toEqual([lasting]);
  });

  test('is restored as all others from what a version made that did not leave shares out of its dumps', async () => {
    const args = ['--format=custom', '--dbname', stack.urls.owner];
    const dumped = spawnSync(join(server.programs, 'pg_dump'), args, { maxBuffer: 2 ** 28 });
    expect(dumped.status).toBe(0);
    const keyring = databaseKey(stack);
    const store = openStore({ kind: 'folder', folder: target });
    const made = await readManifest(store, before, keyring);
    const id = before.replace(/^\d{8}/, '20200101');
    const recipients = [stack.env['BACKUP_RECIPIENTS'] ?? ''];
    const plain = (async function* () {
      yield dumped.stdout;
    })();
    await store.put(dumpName(id), encrypt(plain, recipients));
    const sealed = readFileSync(join(target, dumpName(id)));
    const sha256 = createHash('sha256').update(sealed).digest('hex');
    const tables: Record<string, number> = { 'custody.key_share': 1 };
    await writeManifest(store, { ...made, bytes: sealed.length, sha256, id, tables, redis: null }, keyring);
    const into = new URL(stack.urls.owner);
    into.pathname = '/restored_from_before';
    const env = { ...stack.env, MIGRATION_DATABASE_URL: into.toString() };
    expect(await velum(env, ['restore', id, '--identity', identity])).toMatchObject({ code: 0, stderr: '' });
    const found = await asOwner(into.toString(), (db) =>
      db.query('SELECT gallery_id FROM custody.key_share'),
    );
    expect(found.rows).toEqual([{ gallery_id: lasting }]);
  });

  test('stays destroyed when a backup from before is restored, and the others come back', async () => {
    for (const app of stack.apis) await app.stop('SIGKILL');
    await stack.worker?.stop('SIGKILL');
    await asOwner(`${server.url}/postgres`, (db) => db.query(`DROP DATABASE ${stack.database} WITH (FORCE)`));
    const restored = await velum({ ...stack.env }, ['restore', before, '--identity', identity]);
    expect(restored).toMatchObject({ code: 0, stderr: '' });
    const { rows } = await stack.owner.query('SELECT gallery_id FROM custody.key_set');
    expect(rows).toEqual([{ gallery_id: lasting }]);
    expect((await stack.owner.query('SELECT FROM key_set_destruction')).rowCount).toBe(0);
    client = client.at((await stack.startApi()).url);
    expect((await client.get(`/v1/galleries/${doomed}`)).status).toBe(404);
    const { candidates }: { candidates: Json[] } = ok(await identify(client, lasting, probe));
    expect(candidates).toHaveLength(1);
    // And it can be enrolled in again.
    await enrolledPerson(client, lasting, embedding(9));
    // What was backed up after that one is not given up without being asked.
    expect(await attempt({})).toMatchObject({ code: 2, stderr: expect.stringContaining('restored') });
    expect(await archive()).toEqual(archiveNow);
  });
});

function galleries(shares: readonly Share[]): string[] {
  return shares.map(({ galleryId }) => galleryId).sort();
}

function databaseKey({ env }: Stack): Keyring {
  const keyring = Keyring.parse(readFileSync(join(env['SECRETS_DIR'] ?? '', 'db_encryption_key'), 'utf8'));
  if (keyring === undefined) throw new Error('no keyring');
  return keyring;
}
