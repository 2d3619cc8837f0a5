import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { asOwner } from '../../infra/dev/database.js';
import { backupPlaces, opened, startBackedUpStack } from '../harness/backed-up-stack.js';
import { type DebianPostgres, hasDebianPostgres } from '../harness/debian-postgres.js';
import { everythingSequenced } from '../harness/audit.js';
import { hold, untilWaiting } from '../harness/held-jobs.js';
import { endedJob, linesOf, startJob } from '../harness/jobs.js';
import { enrolOfficer, logIn, nextCode, type Officer } from '../harness/officers.js';
import { velum } from '../harness/operator.js';
import type { Stack } from '../harness/stack.js';
import {
  createGallery,
  embedding,
  enrol,
  enrolledPerson,
  identify,
  ok,
  type Person,
  similar,
  verify,
} from '../harness/story.js';
import {
  createCredentials,
  type Credentials,
  type Json,
  requestToken,
  TestClient,
} from '../harness/test-client.js';
import type { Ended } from '../harness/velum-command.js';

const GALLERY = { model: 'mine', dimension: 128 };
const faces = Array.from({ length: 6 }, (_, n) => embedding(n + 1));
const probes = faces.map((face, n) => similar(face, 100 + n));

describe.skipIf(!hasDebianPostgres && process.env['CI'] === undefined)('a backup', () => {
  const scratch = mkdtempSync(join(inject('services').scratch, 'backup-'));
  const { target, identity } = backupPlaces(scratch);
  let server: DebianPostgres;
  let stack: Stack;
  let client: TestClient;
  let galleryId: string;
  let people: Person[];
  let officers: Record<'staying' | 'disabled' | 'reset', Officer>;
  let clients: Record<'disabled' | 'rotated', Credentials>;
  let newSecret: string;
  /** A job whose items waited when the backup was made. */
  let running: string;
  let backupId: string;
  let env: Record<string, string>;
  /** Places and answers of the database that was lost. */
  let places: string[];
  let answers: Json[];
  let restored: Ended;

  const operate = (...args: string[]): Promise<Ended> => velum(env, args);
  const onServer = (sql: string): Promise<Json[]> =>
    asOwner(`${server.url}/postgres`, async (db) => (await db.query(sql)).rows);
  const databases = async (): Promise<string[]> =>
    (await onServer('SELECT datname FROM pg_database ORDER BY 1')).map(({ datname }) => datname);
  const id = (n: number): string => people[n]?.subjectId ?? '';

  const admission = async (credentials: Credentials): Promise<number> =>
    (await requestToken(client.url, credentials)).status;

  beforeAll(async () => {
    ({ server, stack } = await startBackedUpStack(scratch, { target, identity }));
    env = { ...stack.env };
    client = await TestClient.create(stack);
    galleryId = await createGallery(client, GALLERY);
    people = [];
    for (const face of faces) people.push(await enrolledPerson(client, galleryId, face));
    const doomed = await createGallery(client, GALLERY);
    ok(await enrol(client, doomed, id(5), faces[5] ?? []));

    const asStack = { env, url: stack.url };
    const enrolled = (): Promise<Officer> => enrolOfficer(asStack, 'admin:compliance');
    officers = { staying: await enrolled(), disabled: await enrolled(), reset: await enrolled() };

    clients = { disabled: createCredentials(stack), rotated: createCredentials(stack) };
    await everythingSequenced(stack);
    for (const what of ['key', 'checkpoint']) {
      writeFileSync(join(scratch, what), await (await fetch(`${client.url}/audit/${what}`)).text());
    }
    // Now: until it is let go no entry is sequenced.
    await hold(stack, 'UPDATE ON job_item');
    const lines = linesOf(faces.map((face) => ({ embedding: face })));
    running = ok(await startJob(client, galleryId, 'identify', lines)).id;
    await untilWaiting(stack, 'UPDATE job_item');
    const run = await operate('backup', 'run', '--identity', identity, '--json');
    expect(run).toMatchObject({ code: 0, stderr: '' });
    backupId = JSON.parse(run.stdout).manifest.id;

    // What happens between the backup and the loss of the database.
    ok(await client.delete(`/v1/subjects/${id(0)}`));
    await shipped();
    ok(await client.post(`/v1/consents/${people[1]?.consentId}/withdraw`));
    const held = ok(await client.get(`/v1/galleries/${galleryId}/subjects/${id(2)}/templates`));
    ok(await client.delete(`/v1/galleries/${galleryId}/subjects/${id(2)}/templates/${held[0].id}`));
    ok(await client.delete(`/v1/galleries/${doomed}`));
    ok(await client.post('/v1/rights-requests', { subjectId: id(4), kind: 'restriction', channel: 'app' }));
    expect(await operate('officers', 'disable', officers.disabled.id)).toMatchObject({ code: 0 });
    expect(await operate('officers', 'reset', officers.reset.id)).toMatchObject({ code: 0 });
    expect(await operate('clients', 'disable', clients.disabled.clientId)).toMatchObject({ code: 0 });
    for (let times = 0; times < 2; times++) {
      const rotated = await operate('clients', 'rotate-secret', clients.rotated.clientId, '--json');
      newSecret = JSON.parse(rotated.stdout).clientSecret;
    }
    await enrolledPerson(client, galleryId, embedding(50));
    places = (await stack.owner.query('SELECT segment_id, slot FROM template')).rows.map(placeOf);
    answers = await ask(client);
    await shipped();

    await stopApps();
    await onServer(`DROP DATABASE ${stack.database} WITH (FORCE)`);
    restored = await operate('restore', 'latest', '--identity', identity);
    expect(restored).toMatchObject({ code: 0, stderr: '' });
    await stack.startWorker();
    client = client.at((await stack.startApi()).url);
  });

  afterAll(async () => {
    await stack?.stop();
    server?.stop();
    rmSync(scratch, { recursive: true, force: true });
  });

  async function stopApps(): Promise<void> {
    for (const app of stack.apis) await app.stop('SIGKILL');
    await stack.worker?.stop('SIGKILL');
  }

  /** What came of a command on a copy of the target that was tampered with. */
  async function afterwards(tamper: (folder: string) => void, ...args: string[]): Promise<Ended> {
    const copy = mkdtempSync(join(scratch, 'copy-'));
    cpSync(target, copy, { recursive: true });
    tamper(copy);
    return velum({ ...env, BACKUP_TARGET: copy }, args);
  }
  const dump = (folder: string): string => join(folder, `${backupId}.dump.age`);
  const forge = (folder: string): void => {
    const path = join(folder, `${backupId}.manifest.json`);
    writeFileSync(path, readFileSync(path, 'utf8').replace('"public.template": 7', '"public.template": 8'));
  };
  const cut = (folder: string): void =>
    writeFileSync(dump(folder), readFileSync(dump(folder)).subarray(0, -100));
  const flip = (folder: string): void => {
    const bytes = readFileSync(dump(folder));
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    writeFileSync(dump(folder), bytes);
  };

  /** The worker has stored what was erased where the backups are. */
  function shipped(): Promise<void> {
    return vi.waitFor(
      async () => expect((await stack.owner.query('SELECT FROM erasure_journal')).rowCount).toBe(0),
      { timeout: 20_000, interval: 100 },
    );
  }

  /** Whom the gallery knows, and how surely. */
  async function ask(as: TestClient): Promise<Json[]> {
    const said: Json[] = [];
    for (const [n, probe] of probes.entries()) {
      const { status, body } = await verify(as, galleryId, id(n), probe);
      const found = ok(await identify(as, galleryId, probe, 5)).candidates;
      said.push({ status, match: body.match, code: body.code, found: found.map((c: Json) => c.subjectId) });
    }
    return said;
  }

  test('brings the galleries back: everybody is verified and identified as before the loss', async () => {
    expect(await ask(client)).toEqual(answers);
    expect(answers[3]).toEqual({ status: 200, match: true, code: undefined, found: [id(3)] });
  });

  test('does not bring back who was erased, withdrew or was deleted after it', async () => {
    expect((await client.get(`/v1/subjects/${id(0)}`)).status).toBe(404);
    expect(ok(await client.get(`/v1/consents/${people[1]?.consentId}`)).state).toBe('withdrawn');
    const { rows } = await stack.owner.query('SELECT subject_id FROM template ORDER BY subject_id');
    expect(rows.map((row) => row.subject_id)).toEqual([id(3), id(4), id(5)].sort());
    const galleries = ok(await client.get('/v1/galleries')).items;
    expect(galleries.map((gallery: Json) => gallery.id)).toEqual([galleryId]);
    expect((await stack.owner.query('SELECT FROM custody.key_set')).rowCount).toBe(1);
  });

  test('restricts on whose processing was restricted after it', async () => {
    expect(ok(await client.get(`/v1/subjects/${id(4)}`)).restrictedAt).not.toBeNull();
    const { status, body } = await verify(client, galleryId, id(4), probes[4] ?? []);
    expect([status, body.code]).toEqual([403, 'processing_restricted']);
    expect(answers[4]?.['found']).toEqual([]);
  });

  test('lets in no officer who was disabled or reset after it, until an operator resets once more', async () => {
    for (const officer of Object.values(officers)) await nextCode(stack, officer);
    const statusOf = async (officer: Officer): Promise<number> => (await logIn(client.url, officer)).status;
    expect(await statusOf(officers.staying)).toBe(201);
    expect(await statusOf(officers.disabled)).toBe(403);
    expect(await statusOf(officers.reset)).toBe(403);
    const again = await operate('officers', 'reset', officers.reset.id, '--json');
    const code = JSON.parse(again.stdout).enrolmentCode;
    const nobody = new TestClient(client.url, '');
    ok(await nobody.post('/v1/officers/enrolment', { code, password: 'slow amber river stones' }));
    expect((await operate('officers', 'reset', officers.disabled.id)).code).toBe(1);
  });

  test('lets in no client that was disabled after it, nor anybody with a secret of before', async () => {
    expect(await admission(clients.disabled)).toBe(401);
    expect(await admission(clients.rotated)).toBe(401);
    expect(await admission({ ...clients.rotated, clientSecret: newSecret })).toBe(200);
  });

  test('is outlived by lists that name nobody who was erased', async () => {
    const lists = readdirSync(join(target, 'erasures'));
    const texts = await Promise.all(lists.map((name) => opened(join(target, 'erasures', name), identity)));
    const text = Buffer.concat(texts).toString();
    for (const { subjectId } of people) expect(text).not.toContain(subjectId);
    const hash = createHash('sha256')
      .update(`velum erased subject ${id(0)}`)
      .digest('hex');
    expect(text).toContain(hash);
  });

  test('opens the input of no job: one that was not over is to be sent again', async () => {
    expect(await endedJob(client, running)).toMatchObject({ state: 'failed', code: 'input_lost', done: 0 });
  });

  test('keeps the audit records, with the restore and what it erased again', async () => {
    const restore = ok(await client.get('/v1/admin/audit-events?type=database.restored')).items;
    expect(restore).toHaveLength(1);
    expect(restore[0].details).toEqual({
      backupId,
      subjectsErased: 1,
      templatesErased: 1,
      consentsWithdrawn: 1,
      galleriesDestroyed: 1,
      holdsPlaced: 0,
      holdsReleased: 0,
      restrictionsBegun: 1,
      restrictionsEnded: 0,
      officersDisabled: 1,
      officersReset: 1,
      clientsDisabled: 1,
      clientSecretsRotated: 2,
    });
    const of3 = ok(await client.get(`/v1/admin/audit-events?subjectId=${id(3)}`)).items;
    expect(of3.map((event: Json) => event.type)).toContain('template.enrolled');
    const of0 = ok(await client.get(`/v1/admin/audit-events?subjectId=${id(0)}`)).items;
    expect(of0.map((event: Json) => event.type)).toContain('subject.erased');
    expect(restored.stdout).toContain('1 subjects, 1 templates, 1 galleries');
  });

  test('goes on with its audit log under another name, where who was erased is forgotten again', async () => {
    await everythingSequenced(stack);
    const { items } = ok(await client.get(`/v1/admin/audit-events?subjectId=${id(0)}`));
    // Since then somebody asked for that person.
    const earlier = items.filter(({ code }: Json) => code !== 'subject_not_found');
    expect(earlier.map(({ type }: Json) => type)).toEqual(['subject.erased']);
    const [before, now] = [
      readFileSync(join(scratch, 'key'), 'utf8').trim(),
      (await (await fetch(`${client.url}/audit/key`)).text()).trim(),
    ];
    expect(now).toMatch(/^velum\.localhost\/audit\/restored-[0-9a-f-]{36}\+/);
    const file = join(scratch, 'export.ndjson');
    writeFileSync(file, (await client.get('/v1/admin/audit/export')).body);
    // What was signed before the backup holds under the new name, too.
    const args = [file, '--key', before, '--key', now, '--checkpoint', join(scratch, 'checkpoint')];
    const verified = spawnSync(process.execPath, ['libs/audit/verifier/verify-audit.mjs', ...args], {
      encoding: 'utf8',
    });
    expect([verified.status, verified.stdout]).toEqual([
      0,
      expect.stringMatching(
        /[1-9]\d* of them forgotten by 1 erasures; \d+ checkpoints: all as it was written/,
      ),
    ]);
  });

  test('never gives a slot again that was given since', async () => {
    for (let n = 60; n < 64; n++) await enrolledPerson(client, galleryId, embedding(n));
    const { rows } = await stack.owner.query(
      'SELECT segment_id, slot FROM template WHERE created_at > now() - $1::interval',
      ['1 minute'],
    );
    const fresh = rows.map(placeOf).filter((place) => !places.includes(place));
    expect(fresh).toHaveLength(4);
    const segments = new Set(places.map((place) => place.split(' ')[0]));
    expect(fresh.every((place) => !segments.has(place.split(' ')[0]))).toBe(true);
  });

  test('gives the tables to the owner, and to the apps what they may do', async () => {
    const { rows } = await stack.owner.query(
      `SELECT has_table_privilege('velum_app', 'audit_event', 'INSERT') AS insert,
              has_table_privilege('velum_app', 'audit_event', 'DELETE') AS delete,
              has_column_privilege('velum_custodian', 'custody.segment', 'used', 'UPDATE') AS used`,
    );
    expect(rows).toEqual([{ insert: true, delete: false, used: true }]);
    await expect(stack.owner.query('UPDATE custody.segment SET used = 1')).rejects.toThrow(
      /never given again/,
    );
  });

  test('is not restored over a database that holds anything, unless forced: then that one is kept', async () => {
    const refused = await operate('restore', 'latest', '--identity', identity);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('not empty');
    const connected = await operate('restore', 'latest', '--identity', identity, '--force');
    expect(connected).toMatchObject({ code: 1 });
    expect(connected.stderr).toContain('stop the API and the workers');
    expect((await databases()).filter((name) => name.startsWith('velum_restore_'))).toEqual([]);
    expect((await client.get('/v1/galleries')).status).toBe(200);
  });

  test('can be drilled: the whole restore, and nothing is left of it', async () => {
    const before = await databases();
    const drill = await operate('restore-drill', 'latest', '--identity', identity);
    expect(drill).toMatchObject({ code: 0, stderr: '' });
    expect(drill.stdout).toContain(`Backup ${backupId}`);
    expect(drill.stdout).toMatch(/Opened with the keys at hand: all [1-9]/);
    expect(await databases()).toEqual(before);
  });

  test('holds no secret, and shows neither templates nor keys to who stole it', async () => {
    const names = readdirSync(target, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    const stored = names
      .map((entry) => readFileSync(join(entry.parentPath, entry.name)).toString('latin1'))
      .join('\n');
    const { rows } = await stack.owner.query('SELECT encode("row", \'hex\') AS row FROM template');
    const inTheClear = spawnSync(
      'node_modules/.bin/node',
      ['--input-type=module', '-e', AGE_DECRYPT, identity, join(target, `${backupId}.dump.age`)],
      { maxBuffer: 2 ** 28 },
    );
    expect(inTheClear.status).toBe(0);
    const sql = spawnSync(join(server.programs, 'pg_restore'), ['--file=-'], {
      input: inTheClear.stdout,
      maxBuffer: 2 ** 28,
    }).stdout.toString();
    expect(sql).toContain('COPY custody.segment');
    for (const name of readdirSync(env['SECRETS_DIR'] ?? '')) {
      const secret = readFileSync(join(env['SECRETS_DIR'] ?? '', name), 'utf8').trim();
      const bare = name === 'db_encryption_key' ? secret.slice(secret.indexOf(':') + 1) : secret;
      for (const text of [stored, sql, restored.stdout, stack.log])
        expect(text.includes(bare), name).toBe(false);
    }
    for (const { row } of rows) {
      expect(stored.includes(row)).toBe(false);
      expect(stored.includes(Buffer.from(row, 'hex').toString('latin1'))).toBe(false);
    }
    const manifest = JSON.parse(readFileSync(join(target, `${backupId}.manifest.json`), 'utf8')).manifest;
    expect(Object.keys(manifest).sort()).toEqual([
      'bytes',
      'encryptionKeys',
      'erasuresShipped',
      'format',
      'id',
      'lastAuditEvent',
      'lastLeaf',
      'postgres',
      'redis',
      'schema',
      'sha256',
      'tables',
      'takenAt',
    ]);
    expect(manifest.tables['public.template']).toBe(7);
  });

  test('is refused for one flipped byte, and alerts', async () => {
    expect(await afterwards(flip, 'backup', 'verify')).toMatchObject({ code: 2 });
    expect(await afterwards(flip, 'backup', 'verify', '--identity', identity)).toMatchObject({ code: 2 });
    const before = await databases();
    const drill = await afterwards(flip, 'restore-drill', '--identity', identity);
    expect(drill.code).toBe(2);
    expect(drill.stderr).toContain('changed or cut off');
    expect(await databases()).toEqual(before);
  });

  test('is refused when its end is missing', async () => {
    expect(await afterwards(cut, 'backup', 'list')).toMatchObject({
      code: 2,
      stdout: expect.stringContaining('BAD'),
    });
    expect(await afterwards(cut, 'restore-drill', '--identity', identity)).toMatchObject({ code: 2 });
  });

  test('is refused when somebody else wrote its manifest', async () => {
    const verified = await afterwards(forge, 'backup', 'verify');
    expect(verified.code).toBe(2);
    expect(verified.stderr).toContain('not of this installation');
  });

  test('is refused when erasures that came after it are missing, or changed', async () => {
    const lost = await afterwards(lose, 'restore-drill', '--identity', identity);
    expect(lost.code).toBe(2);
    expect(lost.stderr).toContain('Erasures are missing');
    expect(await afterwards(swap, 'restore-drill', '--identity', identity)).toMatchObject({ code: 2 });
    // Before anybody stops an app for it.
    const verified = await afterwards(lose, 'backup', 'verify', '--identity', identity);
    expect([verified.code, verified.stderr]).toEqual([2, expect.stringContaining('Erasures are missing')]);
  });

  test('is refused without the archive of keys, which opens its galleries', async () => {
    for (const args of [
      ['backup', 'verify'],
      ['restore-drill', '--identity', identity],
    ]) {
      const { code, stderr } = await afterwards(forgetKeys, ...args);
      expect([code, stderr]).toEqual([2, expect.stringContaining('keys/ is missing from the target')]);
    }
  });

  test('says so when the private key is not the one', async () => {
    const other = join(scratch, 'other.txt');
    await velum({}, ['backup', 'keygen', other]);
    const drill = await operate('restore-drill', '--identity', other);
    expect(drill.code).toBe(2);
    expect(drill.stderr).toContain('The private key does not belong to this backup');
  });

  test('says so when db_encryption_key is of another installation', async () => {
    const secrets = join(scratch, 'secrets');
    cpSync(env['SECRETS_DIR'] ?? '', secrets, { recursive: true });
    writeFileSync(join(secrets, 'db_encryption_key'), `other:${Buffer.alloc(32, 7).toString('base64')}\n`);
    const drill = await velum({ ...env, SECRETS_DIR: secrets }, ['restore-drill', '--identity', identity]);
    expect(drill.code).toBe(1);
    expect(drill.stderr).toContain('db_encryption_key');
  });

  test('does not come of a pg_dump that dies half-way', async () => {
    const programs = join(scratch, 'programs');
    mkdirSync(programs);
    const real = join(server.programs, 'pg_dump');
    writeFileSync(
      join(programs, 'pg_dump'),
      `#!/bin/sh\n[ "$1" = --version ] && exec ${real} "$1"\n${real} "$@" | head -c 9000\nkill -9 $$\n`,
      { mode: 0o755 },
    );
    const before = readdirSync(target).sort();
    const run = await velum({ ...env, PATH: `${programs}:${env['PATH']}` }, ['backup', 'run']);
    expect(run.code).toBe(1);
    expect(run.stderr).toContain('pg_dump ended with SIGKILL');
    expect(readdirSync(target).sort()).toEqual(before);
  });

  test('keeps the secrets apart: for another key, and back in place from it', async () => {
    const [file, key, folder] = [
      join(scratch, 'secrets.age'),
      join(scratch, 'secrets-key'),
      join(scratch, 'opened'),
    ];
    const same = await operate('backup', 'secrets', file, '--recipient', env['BACKUP_RECIPIENTS'] ?? '');
    expect(same.code).toBe(1);
    const { stdout: recipient } = await velum({}, ['backup', 'keygen', key]);
    expect(await operate('backup', 'secrets', file, '--recipient', recipient.trim())).toMatchObject({
      code: 0,
    });
    expect(
      await operate('backup', 'open-secrets', file, '--identity', identity, '--into', folder),
    ).toMatchObject({ code: 2 });
    expect(await operate('backup', 'open-secrets', file, '--identity', key, '--into', folder)).toMatchObject({
      code: 0,
    });
    for (const name of ['db_encryption_key', 'secret_key', 'jwt_private_key', 'ip_hash_salt']) {
      const was = readFileSync(join(env['SECRETS_DIR'] ?? '', name), 'utf8').trim();
      expect(readFileSync(join(folder, name), 'utf8').trim()).toBe(was);
    }
  });

  test('replaces a database by force, and keeps that one under another name', async () => {
    const copy = mkdtempSync(join(scratch, 'copy-'));
    cpSync(target, copy, { recursive: true });
    ok(await client.delete(`/v1/subjects/${id(5)}`));
    await shipped();
    await stopApps();
    await onServer(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${stack.database}'`,
    );
    // Of a time before that erasure, which is in no journal any more.
    const args = ['restore', backupId, '--identity', identity, '--force'];
    const outdated = await velum({ ...env, BACKUP_TARGET: copy }, args);
    expect(outdated).toMatchObject({ code: 1, stderr: expect.stringContaining('would be back') });
    const forced = await operate('restore', backupId, '--identity', identity, '--force', '--json');
    expect(forced).toMatchObject({ code: 0, stderr: '' });
    const { keptAs } = JSON.parse(forced.stdout);
    expect(await databases()).toContain(keptAs);
    client = client.at((await stack.startApi()).url);
    expect((await ask(client)).at(3)).toEqual(answers[3]);
    for (const n of [0, 5]) expect((await client.get(`/v1/subjects/${id(n)}`)).status).toBe(404);
  });
});

const AGE_DECRYPT = `
  import { Decrypter } from 'age-encryption';
  import { readFileSync } from 'node:fs';
  const [identity, file] = process.argv.slice(1);
  const decrypter = new Decrypter();
  decrypter.addIdentity(/^AGE-SECRET.*/m.exec(readFileSync(identity, 'utf8'))[0]);
  process.stdout.write(await decrypter.decrypt(readFileSync(file)));
`;

function lose(folder: string): void {
  rmSync(join(folder, 'erasures', erasures(folder)[0] ?? ''));
}

function forgetKeys(folder: string): void {
  rmSync(join(folder, 'keys'), { recursive: true });
}

function swap(folder: string): void {
  const [first = '', second = ''] = erasures(folder);
  copyFileSync(join(folder, 'erasures', second), join(folder, 'erasures', first));
}

function erasures(folder: string): string[] {
  return readdirSync(join(folder, 'erasures')).sort();
}

function placeOf({ segment_id, slot }: Json): string {
  return `${segment_id} ${slot}`;
}
