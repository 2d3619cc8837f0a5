import { ExportAuditLog, ExportAuditLogHandler } from '#audit/export-audit-log';
import { parseVkey, verifyExport } from '#audit/verification';
import { dataSourceOptions } from '#platform/data-source';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { everythingSequenced } from '../harness/audit.js';
import { Stack } from '../harness/stack.js';
import { consentingPeople, ok } from '../harness/story.js';
import { TestClient } from '../harness/test-client.js';

const PEOPLE = 40;

let stack: Stack;
let client: TestClient;
let db: DataSource;
let exports: ExportAuditLogHandler;
let key: string;
let people: string[];

beforeAll(async () => {
  stack = await Stack.start({ worker: true });
  client = await TestClient.create(stack);
  people = (await consentingPeople(client, PEOPLE)).map(({ subjectId }) => subjectId);
  await everythingSequenced(stack);
  db = await new DataSource(dataSourceOptions(stack.urls.app, 'velum-test')).initialize();
  exports = new ExportAuditLogHandler(db);
  key = (await (await fetch(`${stack.url}/audit/key`)).text()).trim();
});

afterAll(async () => {
  await db.destroy();
  await stack.stop();
});

async function eraseOne(): Promise<void> {
  expect((await client.delete(`/v1/subjects/${people.pop()}`)).status).toBe(204);
}

async function sizeNow(): Promise<number> {
  return Number((await (await fetch(`${stack.url}/audit/checkpoint`)).text()).split('\n')[1]);
}

async function* linesOf(text: string): AsyncGenerator<string> {
  yield* text.split('\n');
}

async function faultsOf(text: string): Promise<unknown> {
  return (await verifyExport(linesOf(text), { keys: [parseVkey(key)] })).faults;
}

/** The text, with something done after so many portions of it. */
async function exported(
  query: ExportAuditLog,
  after: number,
  meanwhile: () => Promise<void>,
): Promise<string> {
  let [text, portions] = ['', 0];
  for await (const portion of await exports.execute(query)) {
    text += portion;
    if (++portions === after) await meanwhile();
  }
  return text;
}

test.each([1, 2, 3])('an erasure after portion %d of an export is no fault', async (after) => {
  expect(await faultsOf(await exported(new ExportAuditLog(), after, eraseOne))).toEqual([]);
});

test('erasures all the while are no faults', async () => {
  const erasing = (async () => {
    while (people.length > 12) await eraseOne();
  })();
  for (let i = 0; i < 12; i++)
    expect(await faultsOf((await client.get('/v1/admin/audit/export')).body)).toEqual([]);
  await erasing;
});

test('a part whose erasures were recorded after it verifies, between checkpoints too', async () => {
  await everythingSequenced(stack);
  const size = await sizeNow();
  await eraseOne();
  for (const to of [size, size - 1, 5]) {
    expect(await faultsOf(await exported(new ExportAuditLog(0, to), 1, eraseOne))).toEqual([]);
  }
});

test('pages with erasures between them are one export', async () => {
  const size = await sizeNow();
  const first = await exported(new ExportAuditLog(0, size - 3), 2, eraseOne);
  await eraseOne();
  await everythingSequenced(stack);
  const second = await exported(new ExportAuditLog(size - 3), 2, eraseOne);
  expect(await faultsOf(first + second)).toEqual([]);
  expect(await faultsOf(first.split('\n').slice(0, -2).join('\n'))).not.toEqual([]);
});

test('what was removed is found in a part too', async () => {
  ok(await client.post('/v1/subjects', {}));
  await everythingSequenced(stack);
  await stack.owner.query(
    `DELETE FROM audit_event WHERE id = (SELECT event_id FROM audit_leaf WHERE event_id IS NOT NULL ORDER BY leaf_index LIMIT 1)`,
  );
  const text = await exported(new ExportAuditLog(0, (await sizeNow()) - 2), 0, eraseOne);
  expect(await faultsOf(text)).toMatchObject([{ what: expect.stringContaining('no erasure covers it') }]);
});
