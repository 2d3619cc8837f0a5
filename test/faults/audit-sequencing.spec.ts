import { AuditLog } from '#audit/audit-log';
import { ExportAuditLog, ExportAuditLogHandler } from '#audit/export-audit-log';
import { verifyExport, parseVkey } from '#audit/verification';
import { dataSourceOptions } from '#platform/data-source';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Stack } from '../harness/stack.js';

const KILLS = 50;
/** START TRANSACTION to COMMIT, of a turn that has work. */
const STATEMENTS = 12;
const WRITERS = 4;
/** Entries in the queue at which the writers wait, so that a slow machine has no more to catch up with than a fast one. */
const FULL = 5000;

let stack: Stack;
let db: DataSource;
const checkpoints = new Map<number, string>();

beforeAll(async () => {
  stack = await Stack.start({ apis: 0 });
  db = await new DataSource({ ...dataSourceOptions(stack.urls.app, 'velum-test') }).initialize();
});

afterAll(async () => {
  await db.destroy();
  await stack.stop();
});

async function waiting(): Promise<number> {
  const { rows } = await stack.owner.query('SELECT count(*)::int AS waiting FROM audit_pending');
  return Number(rows[0]?.waiting);
}

/** Entries as fast as the database takes them, from several connections, numbered by their writer. */
async function write(writer: number, until: () => boolean): Promise<number> {
  const audit = new AuditLog(db);
  let written = 0;
  while (!until()) {
    if ((await waiting()) >= FULL) {
      await pause(20);
      continue;
    }
    await db.transaction(async (tx) => {
      for (let i = 0; i < 5; i++) {
        const details = { writer, number: written + i };
        await audit.append(tx, { type: 'token.issued', outcome: 'ok', details });
      }
    });
    written += 5;
  }
  return written;
}

/** Runs the sequencer until it has killed itself, or kills it at some moment. */
async function killedOnce(kill: number): Promise<void> {
  // Every statement twice, before and after it was sent; the rest at any moment.
  const planned = kill < 2 * STATEMENTS;
  const env = {
    ...process.env,
    ...stack.env,
    ...(planned && {
      KILL_AT: String((kill % STATEMENTS) + 1),
      KILL_AFTER: kill < STATEMENTS ? 'no' : 'yes',
    }),
  };
  const child = spawn(process.execPath, ['dist/test/faults/sequencer-process.js'], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  await once(child.stdout, 'data');
  if (!planned) {
    // Somewhere in the turn after one that it ended.
    await once(child.stdout, 'data');
    await pause((kill * 37) % 151);
    child.kill('SIGKILL');
  }
  const [, signal] = await ended;
  expect([kill, signal]).toEqual([kill, 'SIGKILL']);
}

async function keepCheckpoints(): Promise<void> {
  const { rows } = await stack.owner.query('SELECT tree_size, note FROM audit_checkpoint ORDER BY n');
  for (const { tree_size, note } of rows) {
    // Two checkpoints of one size that differ would be two logs.
    expect(checkpoints.get(Number(tree_size)) ?? note).toBe(note);
    checkpoints.set(Number(tree_size), note);
  }
  const kept = new Set(rows.map(({ tree_size }) => Number(tree_size)));
  expect([...checkpoints.keys()].filter((size) => !kept.has(size))).toEqual([]);
}

test(`killed ${KILLS} times under load, at every step: no leaf is lost, doubled or reordered, and every checkpoint holds`, async () => {
  let over = false;
  const writers = Array.from({ length: WRITERS }, (_, writer) => write(writer, () => over));
  for (let kill = 0; kill < KILLS; kill++) {
    await killedOnce(kill);
    await keepCheckpoints();
  }
  over = true;
  const written = await Promise.all(writers);
  const last = spawn(process.execPath, ['dist/test/faults/sequencer-process.js'], {
    env: { ...process.env, ...stack.env },
    stdio: 'ignore',
  });
  await expect.poll(waiting, { timeout: 60_000, interval: 100 }).toBe(0);
  last.kill('SIGKILL');
  await keepCheckpoints();

  const { rows: leaves } = await stack.owner.query(
    `SELECT leaf_index::int AS leaf, (e.details->>'writer')::int AS writer, (e.details->>'number')::int AS number
     FROM audit_leaf l JOIN audit_event e ON e.id = l.event_id ORDER BY leaf_index`,
  );
  expect(leaves).toHaveLength(written.reduce((sum, each) => sum + each, 0));
  expect(leaves.every(({ leaf }, i) => leaf === i)).toBe(true);
  for (const [writer, count] of written.entries()) {
    const numbers = leaves.filter((each) => each.writer === writer).map(({ number }) => Number(number));
    expect(numbers).toEqual(Array.from({ length: count }, (_, i) => i));
  }

  const { rows: keys } = await stack.owner.query('SELECT vkey FROM audit_key');
  expect(keys).toHaveLength(1);
  expect(checkpoints.size).toBeGreaterThan(10);
  const known = [...checkpoints.values()];
  const portions = await new ExportAuditLogHandler(db).execute(new ExportAuditLog());
  const verdict = await verifyExport(lines(portions), { keys: [parseVkey(String(keys[0]?.vkey))], known });
  expect(verdict).toMatchObject({ faults: [], remarks: [] });
}, 240_000);

async function* lines(portions: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const portion of portions) yield* portion.split('\n');
}
