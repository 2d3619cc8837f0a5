import { AuditLog } from '#audit/audit-log';
import { ExportAuditLog, ExportAuditLogHandler } from '#audit/export-audit-log';
import { ForgetErasedHandler } from '#audit/forget-erased';
import { SequenceEntriesHandler } from '#audit/sequence-entries';
import { parseVkey, verifyExport } from '#audit/verification';
import { loadWorkerConfig } from '#platform/config';
import { dataSourceOptions } from '#platform/data-source';
import { migrate } from '#platform/migrate';
import { MIGRATIONS } from '#platform/migrations/all';
import { newId } from '#platform/ids';
import { Client } from 'pg';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { asOwner, urlsOf } from '../../infra/dev/database.js';

const DATABASE = `velum_audit_past_${process.pid}`;
const ENTRIES = 12_000;

const { server, secretsFolder } = inject('services');
const urls = urlsOf(server, DATABASE, secretsFolder);
const onServer = (sql: string): Promise<unknown> =>
  asOwner(new URL('/postgres', server).toString(), (client) => client.query(sql));

const [client, living, erasedBefore, erasedMeanwhile] = [1, 2, 3, 4].map(() => newId<'subject'>());
let owner: Client;
let app: DataSource;
let worker: DataSource;
let sequencer: SequenceEntriesHandler;

/** As a version wrote it that knew of no tree. */
function writeAsBefore(subject: string | undefined, type: string, count = 1): Promise<unknown> {
  return owner.query(
    `INSERT INTO audit_event (id, type, outcome, client_id, subject_id, details)
     SELECT overlay(gen_random_uuid()::text PLACING lpad(to_hex(i), 8, '0') FROM 1 FOR 8)::uuid, $2, 'ok', $3, $1,
            '{"ratio": 0.25, "name": "é\\u2028", "large": 1e21}'
     FROM generate_series(1, $4::int) AS i`,
    [subject ?? null, type, client, count],
  );
}

beforeAll(async () => {
  await onServer(`CREATE DATABASE ${DATABASE}`);
  const before = MIGRATIONS.slice(
    0,
    MIGRATIONS.findIndex(({ name }) => name.startsWith('AuditTree')),
  );
  await migrate(urls.owner, { serving: false, migrations: before });
  owner = new Client({ connectionString: urls.owner });
  await owner.connect();
  await owner.query(`INSERT INTO client (id, name, secret_hash, scopes) VALUES ($1, 'x', 'x', '{}')`, [
    client,
  ]);
  for (const subject of [living, erasedBefore, erasedMeanwhile]) {
    await owner.query('INSERT INTO subject (id, client_id) VALUES ($1, $2)', [subject, client]);
    await writeAsBefore(subject, 'subject.registered');
  }
  await writeAsBefore(undefined, 'token.issued', ENTRIES);
  await writeAsBefore(erasedBefore, 'subject.erased');
  await owner.query('UPDATE subject SET erased_at = now() WHERE id = $1', [erasedBefore]);
});

afterAll(async () => {
  await Promise.all([owner.end(), app?.destroy(), worker?.destroy()]);
  await onServer(`DROP DATABASE ${DATABASE} WITH (FORCE)`);
});

test('the migration breaks no version that serves, and leaves the past to the worker', async () => {
  await migrate(urls.owner, { serving: true });
  const config = loadWorkerConfig({
    VELUM_ENV: 'test',
    SECRETS_DIR: secretsFolder,
    WORKER_DATABASE_URL: urls.worker,
    CUSTODIAN_DATABASE_URL: urls.custodian,
    REDIS_URL: 'redis://127.0.0.1:1',
  });
  app = await new DataSource(dataSourceOptions(urls.app, 'velum-test')).initialize();
  worker = await new DataSource(dataSourceOptions(urls.worker, 'velum-test')).initialize();
  sequencer = new SequenceEntriesHandler(worker, config);
  const { rows } = await owner.query('SELECT count(*)::int AS n FROM audit_pending');
  expect(rows).toEqual([{ n: 0 }]);
});

test('entries of before get their leaves first, those that are written meanwhile after them', async () => {
  await new AuditLog(app).append(app.manager, {
    type: 'token.issued',
    outcome: 'ok',
    details: { now: true },
  });
  await sequencer.execute();
  // What waits to be queued is no stray.
  expect((await owner.query('SELECT FROM audit_past')).rowCount).toBe(1);
  const strays: string[] = [];
  for await (const portion of await new ExportAuditLogHandler(app).execute(new ExportAuditLog())) {
    strays.push(...portion.split('\n').filter((line) => line.startsWith('{"stray"')));
  }
  expect(strays).toEqual([]);
  for (let turns = 0; turns < 20; turns++) await sequencer.execute();
  const { rows } = await owner.query(
    `SELECT count(*)::int AS leaves, max(leaf_index)::int AS last, count(*) FILTER (WHERE e.id IS NULL)::int AS empty,
            (SELECT leaf_index::int FROM audit_leaf JOIN audit_event a ON a.id = event_id WHERE a.details ? 'now') AS now
     FROM audit_leaf l LEFT JOIN audit_event e ON e.id = l.event_id`,
  );
  // All of before but the registration of the person who was erased by then, and ours.
  const leaves = ENTRIES + 3 + 1;
  expect(rows).toEqual([{ leaves, last: leaves - 1, empty: 0, now: leaves - 1 }]);
  expect((await owner.query('SELECT FROM audit_past')).rowCount).toBe(0);
});

test('people whom the version that serves on erases are forgotten by the worker, and the whole log verifies', async () => {
  await writeAsBefore(erasedMeanwhile, 'subject.erased');
  await owner.query('UPDATE subject SET erased_at = now() WHERE id = $1', [erasedMeanwhile]);
  await sequencer.execute();
  expect(await new ForgetErasedHandler(worker, new AuditLog(worker)).execute()).toBe(1);
  expect(await new ForgetErasedHandler(worker, new AuditLog(worker)).execute()).toBe(0);
  await sequencer.execute();
  const { rows } = await owner.query(
    'SELECT subject_id, type FROM audit_event WHERE subject_id IS NOT NULL ORDER BY type',
  );
  expect(rows.map(({ subject_id, type }) => `${subject_id} ${type}`).toSorted()).toEqual(
    [
      `${erasedBefore} subject.erased`,
      `${erasedMeanwhile} subject.erased`,
      `${living} subject.registered`,
    ].toSorted(),
  );
  const [key] = (await owner.query<{ vkey: string }>('SELECT vkey FROM audit_key')).rows;
  const portions = await new ExportAuditLogHandler(app).execute(new ExportAuditLog());
  const verdict = await verifyExport(lines(portions), { keys: [parseVkey(key?.vkey ?? '')] });
  expect(verdict.faults).toEqual([]);
  expect(verdict.summary).toContain('1 of them forgotten by 1 erasures');
});

test('an entry that is gone before anything was committed to does not wait for ever', async () => {
  await writeAsBefore(undefined, 'token.revoked');
  await owner.query(`DELETE FROM audit_event WHERE type = 'token.revoked'`);
  await sequencer.execute();
  expect((await owner.query('SELECT FROM audit_pending')).rowCount).toBe(0);
});

test('a million entries of before would hold up nobody: a portion is queued with each turn', async () => {
  const { rows } = await owner.query(
    `SELECT count(*)::int AS n FROM audit_checkpoint WHERE tree_size < ${ENTRIES}`,
  );
  expect(rows[0].n).toBeGreaterThanOrEqual(2);
});

async function* lines(portions: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const portion of portions) yield* portion.split('\n');
}
