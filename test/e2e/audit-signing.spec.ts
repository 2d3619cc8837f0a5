import { AuditLog } from '#audit/audit-log';
import { FindCheckpointHandler } from '#audit/find-checkpoint';
import { LogInconsistent } from '#audit/log-inconsistent';
import { SequenceEntriesHandler } from '#audit/sequence-entries';
import { loadWorkerConfig } from '#platform/config';
import { dataSourceOptions } from '#platform/data-source';
import { DataSource } from 'typeorm';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { Stack } from '../harness/stack.js';

const TABLES = ['audit_event', 'audit_pending', 'audit_leaf', 'audit_tile', 'audit_checkpoint', 'audit_key'];

let stack: Stack;
let app: DataSource;
let worker: DataSource;

beforeAll(async () => {
  stack = await Stack.start({ apis: 0 });
  app = await new DataSource(dataSourceOptions(stack.urls.app, 'velum-test')).initialize();
  worker = await new DataSource(dataSourceOptions(stack.urls.worker, 'velum-test')).initialize();
  await recorded(3);
  await sequencer().execute();
});

afterAll(async () => {
  await Promise.all([app.destroy(), worker.destroy()]);
  await stack.stop();
});

beforeEach(() => keep('kept'));
afterEach(() => setBack('kept'));

function sequencer(env: Record<string, string> = {}): SequenceEntriesHandler {
  return new SequenceEntriesHandler(worker, loadWorkerConfig({ ...process.env, ...stack.env, ...env }));
}

async function recorded(entries: number): Promise<void> {
  const events = Array.from({ length: entries }, () => ({ type: 'token.issued', outcome: 'ok' }) as const);
  await new AuditLog(app).appendAll(app.manager, events);
}

async function keep(name: string): Promise<void> {
  for (const table of TABLES) {
    await stack.owner.query(
      `DROP TABLE IF EXISTS ${name}_${table}; CREATE TABLE ${name}_${table} AS TABLE ${table}`,
    );
  }
}

/** As the administrator of the database can, without a trace in it. */
async function setBack(name: string): Promise<void> {
  const statements = TABLES.map(
    (table) => `DELETE FROM ${table}; INSERT INTO ${table} OVERRIDING SYSTEM VALUE TABLE ${name}_${table}`,
  );
  await stack.owner.query(
    `BEGIN; SET LOCAL session_replication_role = replica; ${statements.join(';')}; COMMIT`,
  );
}

async function whyNot(handler: SequenceEntriesHandler): Promise<string> {
  const error = await handler.execute().catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(LogInconsistent);
  return error instanceof LogInconsistent ? error.message : '';
}

test.each([
  ['the last row of the tree is deleted', 'DELETE FROM audit_tile', /has not what its size needs/],
  [
    'the last row of the tree is shortened',
    'UPDATE audit_tile SET hashes = substring(hashes FROM 1 FOR 32)',
    /has not what its size needs/,
  ],
  [
    'the last checkpoint is garbage',
    `UPDATE audit_checkpoint SET note = 'x'`,
    /the last checkpoint is not signed/,
  ],
  [
    'a checkpoint is put beside the last',
    `INSERT INTO audit_checkpoint SELECT n + 1, 1, note FROM audit_checkpoint`,
    /a row is there already .*: audit_checkpoint_pkey/,
  ],
] as const)('says why nothing more is signed: %s', async (_, statement, said) => {
  await stack.owner.query(statement);
  await recorded(1);
  expect(await whyNot(sequencer())).toMatch(said);
});

test('tables that were set back get no second history', async () => {
  const running = sequencer();
  await recorded(2);
  expect(await running.execute()).toBe(2);
  await setBack('kept');
  await recorded(1);
  expect(await whyNot(running)).toMatch(/was set back or exchanged: this process saw 5 leaves signed/);
  // As many leaves as before, and more, but others.
  await recorded(5);
  await sequencer().execute();
  await recorded(1);
  expect(await whyNot(running)).toMatch(/was set back or exchanged/);
});

test('what another worker signed meanwhile is no other history', async () => {
  const [one, other] = [sequencer(), sequencer()];
  for (const each of [one, other, one]) {
    await recorded(2);
    expect(await each.execute()).toBe(2);
  }
});

test('a log goes on under its own name only, also where its key is a former one', async () => {
  const { vkey } = await new FindCheckpointHandler(app).execute();
  await recorded(1);
  const renamed = { AUDIT_ORIGIN: 'other.example/audit', AUDIT_FORMER_KEYS: vkey };
  expect(await whyNot(sequencer(renamed))).toMatch(/under the name of this log \(AUDIT_ORIGIN\)/);
});

test('the key that is answered is the one that signed the latest checkpoint', async () => {
  const { vkey } = await new FindCheckpointHandler(app).execute();
  const [origin] = vkey.split('+');
  await stack.owner.query(
    `INSERT INTO audit_key VALUES ('${origin}+00000000+AQ==', now() + interval '1 hour')`,
  );
  expect((await new FindCheckpointHandler(app).execute()).vkey).toBe(vkey);
});
