import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { everythingSequenced } from '../harness/audit.js';
import { Stack } from '../harness/stack.js';
import { ok } from '../harness/story.js';
import { TestClient } from '../harness/test-client.js';

const TABLES = [
  'audit_event',
  'audit_leaf',
  'audit_tile',
  'audit_checkpoint',
  'audit_key',
  'audit_forgotten',
];

let stack: Stack;
let client: TestClient;
let folder: string;
let key: string;
let size: number;

beforeAll(async () => {
  stack = await Stack.start({ worker: true });
  folder = mkdtempSync(join(tmpdir(), 'velum-tampering-'));
  client = await TestClient.create(stack);
  // More than a row of the stored tree, some of them forgotten, over several checkpoints.
  const people: string[] = [];
  for (let i = 0; i < 4; i++) {
    const made = await Promise.all(Array.from({ length: 75 }, () => client.post('/v1/subjects', {})));
    people.push(...made.map((answer) => String(ok(answer).id)));
    await everythingSequenced(stack);
  }
  for (const id of [people[20], people[200]]) await client.delete(`/v1/subjects/${id}`);
  await everythingSequenced(stack);
  await stack.worker?.stop();
  key = (await (await fetch(`${stack.url}/audit/key`)).text()).trim();
  const held = await (await fetch(`${stack.url}/audit/checkpoint`)).text();
  writeFileSync(join(folder, 'checkpoint'), held);
  size = Number(held.split('\n')[1]);
  for (const table of TABLES) await stack.owner.query(`CREATE TABLE kept_${table} AS TABLE ${table}`);
});

afterAll(async () => {
  await stack.stop();
  rmSync(folder, { recursive: true });
});

/** As the superuser, whom no trigger and no constraint stops. */
async function asSuperuser(statements: string): Promise<void> {
  await stack.owner.query(`BEGIN; SET LOCAL session_replication_role = replica; ${statements}; COMMIT`);
}

async function untampered(): Promise<void> {
  const restored = TABLES.map((table) => `DELETE FROM ${table}; INSERT INTO ${table} TABLE kept_${table}`);
  await asSuperuser(restored.join(';'));
}

async function report(...options: string[]): Promise<string> {
  const { body } = await client.get('/v1/admin/audit/export');
  const file = join(folder, 'export');
  writeFileSync(file, body);
  const verifier = ['libs/audit/verifier/verify-audit.mjs', file, '--key', key, ...options];
  return spawnSync(process.execPath, verifier, { encoding: 'utf8' }).stdout;
}

const eventOf = (leaf: number): string => `(SELECT event_id FROM audit_leaf WHERE leaf_index = ${leaf})`;
const SOME_FORGOTTEN = '(SELECT min(commitment) FROM audit_forgotten)';
const OTHER_RECORD = `(SELECT max(record_id::text)::uuid FROM audit_forgotten)`;

/** What is done to the tables, and what the verifier must say of it. */
const TAMPERINGS: readonly (readonly [what: string, statements: string, ...said: RegExp[]])[] = [
  [
    'an entry is edited',
    `UPDATE audit_event SET outcome = 'refused' WHERE id = ${eventOf(50)}`,
    /leaf 50: its content is not what was committed to/,
  ],
  [
    'the time of an entry is edited by a microsecond',
    `UPDATE audit_event SET at = at + interval '1 microsecond' WHERE id = ${eventOf(51)}`,
    /leaf 51: its content/,
  ],
  [
    'a salt is edited',
    `UPDATE audit_event SET salt = sha256(salt) WHERE id = ${eventOf(52)}`,
    /leaf 52: its content/,
  ],
  [
    'an entry is deleted',
    `DELETE FROM audit_event WHERE id = ${eventOf(53)}`,
    /leaf 53: its content is missing, and no erasure covers it/,
  ],
  [
    'an entry is deleted and called forgotten',
    `INSERT INTO audit_forgotten SELECT commitment, ${OTHER_RECORD} FROM audit_leaf WHERE leaf_index = 54;
     DELETE FROM audit_event WHERE id = ${eventOf(54)}; UPDATE audit_leaf SET event_id = NULL WHERE leaf_index = 54`,
    /leaves .*54.* are missing their content, and the record at leaf \d+ covers other entries/,
  ],
  [
    'an entry is inserted beside the log',
    `INSERT INTO audit_event (id, type, outcome) VALUES ('00000000-0000-7000-8000-000000000001', 'token.issued', 'ok')`,
    /the entry 00000000-0000-7000-8000-000000000001 has no leaf and waits for none/,
  ],
  [
    'two entries are exchanged',
    `UPDATE audit_leaf SET event_id = NULL WHERE leaf_index IN (60, 61);
     UPDATE audit_leaf l SET event_id = o.event_id FROM kept_audit_leaf o
     WHERE l.leaf_index IN (60, 61) AND o.leaf_index = 121 - l.leaf_index`,
    /leaf 60: its content/,
    /leaf 61: its content/,
  ],
  [
    'a commitment is edited',
    `UPDATE audit_leaf SET commitment = set_byte(commitment, 5, get_byte(commitment, 5) # 1) WHERE leaf_index = 70`,
    /leaf 70: its content/,
    /leaf 70: the stored tree \(tile 0\/0\) has another hash/,
  ],
  [
    'the commitment of a forgotten entry is edited',
    `UPDATE audit_leaf SET commitment = '\\x01' || sha256('other') WHERE commitment = ${SOME_FORGOTTEN}`,
    /leaf \d+: its content is missing, and no erasure covers it/,
    /leaf \d+: the stored tree/,
  ],
  ['a leaf is deleted', 'DELETE FROM audit_leaf WHERE leaf_index = 80', /leaf 80: it is missing/],
  [
    'a leaf is inserted at the end',
    `INSERT INTO audit_leaf SELECT max(leaf_index) + 1, NULL, sha256('x') || '\\x01' FROM audit_leaf`,
    /leaf \d+: it was never signed for/,
  ],
  [
    'a leaf is inserted in the middle',
    `UPDATE audit_leaf SET leaf_index = leaf_index + 100000 WHERE leaf_index >= 90;
     UPDATE audit_leaf SET leaf_index = leaf_index - 99999 WHERE leaf_index >= 90;
     INSERT INTO audit_leaf VALUES (90, NULL, '\\x01' || sha256('x'))`,
    /leaf 90: its content is missing/,
    /leaf 90: the stored tree/,
  ],
  [
    'leaves are reordered with their entries',
    `UPDATE audit_leaf SET leaf_index = 99999 WHERE leaf_index = 95;
     UPDATE audit_leaf SET leaf_index = 95 WHERE leaf_index = 96;
     UPDATE audit_leaf SET leaf_index = 96 WHERE leaf_index = 99999`,
    /leaf 95: the stored tree/,
    /leaf 96: the stored tree/,
  ],
  [
    'an entry, its commitment and its place in the stored tree are all rewritten',
    `UPDATE audit_leaf SET commitment = '\\x01' || sha256('x') WHERE leaf_index = 97;
     UPDATE audit_tile SET hashes = overlay(hashes PLACING sha256('\\x0001'::bytea || sha256('x')) FROM 97 * 32 + 1)
       WHERE level = 0 AND tile_index = 0;
     UPDATE audit_event SET details = '{"forged": true}' WHERE id = ${eventOf(97)}`,
    /its root does not fit: something among leaves (\d|[1-8]\d|9[0-7]) to (9[789]|\d{3}) was changed/,
  ],
  [
    'the stored tree is edited',
    'UPDATE audit_tile SET hashes = set_byte(hashes, 32 * 5, get_byte(hashes, 32 * 5) # 1) WHERE level = 0 AND tile_index = 1',
    /leaf 261: the stored tree \(tile 0\/1\) has another hash for it/,
  ],
  [
    'the upper levels of the stored tree are edited',
    'UPDATE audit_tile SET hashes = set_byte(hashes, 0, get_byte(hashes, 0) # 1) WHERE level = 1',
    /leaf 0: the stored tree \(tile 1\/0\) has another hash for it to 255/,
  ],
  [
    'a row of the stored tree is deleted',
    'DELETE FROM audit_tile WHERE level = 0 AND tile_index = 0',
    /tile 0\/0 of the stored tree is missing/,
  ],
  [
    'a row of the stored tree is inserted',
    `INSERT INTO audit_tile VALUES (1, 7, sha256('x'))`,
    /tile 1\/7 belongs to no tree that was signed/,
  ],
  [
    'a checkpoint is edited',
    `UPDATE audit_checkpoint SET note = translate(note, 'AB', 'BA') WHERE n = 3`,
    /checkpoint of \d+ leaves: it is not signed by the key of the log/,
  ],
  [
    'a checkpoint is deleted',
    'DELETE FROM audit_checkpoint WHERE n = 3',
    /checkpoint 4 follows 2: some were removed/,
  ],
  [
    'the last checkpoint is deleted',
    'DELETE FROM audit_checkpoint WHERE tree_size = (SELECT max(tree_size) FROM audit_checkpoint)',
    /leaf \d+: it was never signed for/,
  ],
  [
    'a checkpoint is inserted',
    `UPDATE audit_checkpoint SET n = n + 1000 WHERE n > 3; UPDATE audit_checkpoint SET n = n - 999 WHERE n > 3;
     INSERT INTO audit_checkpoint SELECT 4, (SELECT min(free) FROM generate_series(2, 300) AS free WHERE free NOT IN
       (SELECT tree_size FROM audit_checkpoint)), note FROM audit_checkpoint WHERE n = 3`,
    /checkpoint of \d+ leaves: it was signed for \d+ leaves/,
  ],
  [
    'two checkpoints are exchanged',
    `UPDATE audit_checkpoint c SET note = o.note FROM kept_audit_checkpoint o
     WHERE c.n IN (3, 4) AND o.n = 7 - c.n`,
    /checkpoint of \d+ leaves: it was signed for/,
  ],
  [
    'the record of an erasure loses one of the entries that it covers',
    `DELETE FROM audit_forgotten WHERE commitment = ${SOME_FORGOTTEN}`,
    /leaf \d+: its content is missing, and no erasure covers it/,
    /leaf \d+: it says that entries were forgotten, and none was/,
  ],
  [
    'a forgotten entry is put under another record',
    `UPDATE audit_forgotten SET record_id = ${OTHER_RECORD}
     WHERE commitment = (SELECT min(commitment) FROM audit_forgotten WHERE record_id <> ${OTHER_RECORD})`,
    /covers other entries/,
  ],
  [
    'an entry that is there is called forgotten',
    `INSERT INTO audit_forgotten SELECT commitment, ${OTHER_RECORD} FROM audit_leaf WHERE leaf_index = 99`,
    /is said to cover an entry that was not forgotten/,
  ],
  [
    'another key is named',
    `INSERT INTO audit_key VALUES ('velum.localhost/audit+00000000+AQ==', now())`,
    /names a key that you do not hold: velum\.localhost\/audit\+00000000/,
  ],
  [
    'the key is no longer named',
    'DELETE FROM audit_key',
    /checkpoint_not_found|does not name the key that you hold/,
  ],
];

describe('as superuser', () => {
  test('nothing was changed yet, and nothing is found', async () => {
    expect(await report('--checkpoint', join(folder, 'checkpoint'))).toContain('all as it was written');
  });

  test.each(TAMPERINGS.map(([what, statements, ...said]) => ({ what, statements, said })))(
    '$what: found, and said where',
    async ({ statements, said }) => {
      await asSuperuser(statements);
      try {
        const text = await report();
        for (const wanted of said) expect(text).toMatch(wanted);
        expect(text).toMatch(/\d+ faults/);
      } finally {
        await untampered();
      }
      expect(await report()).toContain('all as it was written');
    },
  );

  test('the log is cut without a trace: found by who holds a checkpoint', async () => {
    await asSuperuser(
      `DELETE FROM audit_checkpoint WHERE tree_size > 200; DELETE FROM audit_event WHERE id IN
         (SELECT event_id FROM audit_leaf WHERE leaf_index >= (SELECT max(tree_size) FROM audit_checkpoint));
       DELETE FROM audit_forgotten;
       DELETE FROM audit_leaf WHERE leaf_index >= (SELECT max(tree_size) FROM audit_checkpoint);
       DELETE FROM audit_tile WHERE level > 0 OR tile_index > 0`,
    );
    try {
      const text = await report('--checkpoint', join(folder, 'checkpoint'));
      expect(text).toMatch(
        new RegExp(`checkpoint of ${size} leaves: you hold it, and the log has only \\d+ leaves`),
      );
    } finally {
      await untampered();
    }
  });
});

describe('before an entry has its leaf', () => {
  test('its place in the queue is deleted, or what it committed to edited: found once the worker is back', async () => {
    const made = await Promise.all([1, 2, 3].map(() => client.post('/v1/subjects', {})));
    const [lost] = (
      await stack.owner.query(
        `DELETE FROM audit_pending WHERE n = (SELECT max(n) FROM audit_pending) RETURNING event_id`,
      )
    ).rows;
    await stack.owner.query(
      `UPDATE audit_pending SET commitment = '\\x01' || sha256('x') WHERE n = (SELECT max(n) FROM audit_pending)`,
    );
    await stack.owner.query(`INSERT INTO audit_pending (event_id, commitment)
      VALUES ('00000000-0000-7000-8000-000000000009', '\\x01' || sha256('y'))`);
    expect(made.every(({ status }) => status === 201)).toBe(true);
    await stack.startWorker();
    await everythingSequenced(stack);
    const text = await report();
    expect(text).toContain(`the entry ${lost?.event_id} has no leaf`);
    expect(text).toContain(`leaf ${size + 1}: its content is not what was committed to`);
    expect(text).toContain(`leaf ${size + 2}: its content is missing, and no erasure covers it`);
  });

  test('an entry written past the apps is told apart: the sequencer committed to it', async () => {
    await stack.owner.query(`INSERT INTO audit_event (id, at, type, outcome)
      VALUES ('00000000-0000-7000-8000-000000000002', '2020-01-01', 'token.issued', 'ok')`);
    await everythingSequenced(stack);
    expect(await report()).toContain(
      `committed to by the sequencer, not when they were written: leaves ${size + 3}`,
    );
  });
});

test('a log that was rewritten is not signed on: the worker says so, and metrics show that entries wait', async () => {
  await asSuperuser(`UPDATE audit_tile SET hashes = set_byte(hashes, 0, get_byte(hashes, 0) # 1)
    WHERE (level, tile_index) = (0, (SELECT max(tile_index) FROM audit_tile WHERE level = 0))`);
  const before = await stack.owner.query('SELECT count(*)::int AS n FROM audit_checkpoint');
  ok(await client.post('/v1/subjects', {}));
  await expect
    .poll(() => stack.log, { timeout: 10_000 })
    .toContain('nothing more is signed: the stored tree is not the signed one');
  const after = await stack.owner.query('SELECT count(*)::int AS n FROM audit_checkpoint');
  expect(after.rows).toEqual(before.rows);
});
