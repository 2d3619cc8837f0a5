import { databaseNamed, withDatabase } from '#platform/one-off-database';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { ScratchDatabase } from './scratch-database.js';

const NAME = `velum_replaced_${process.pid}`;
let url: string;

const run = <Row>(of: string, sql: string): Promise<Row[]> =>
  withDatabase(of, 'test', (db) => db.query<Row[]>(sql));
const onServer = <Row>(sql: string): Promise<Row[]> => run(databaseNamed(url, 'postgres'), sql);

async function named(): Promise<string[]> {
  const rows = await onServer<{ datname: string }>(
    `SELECT datname FROM pg_database WHERE starts_with(datname, '${NAME}') ORDER BY 1`,
  );
  return rows.map(({ datname }) => datname);
}

async function tables(of: string): Promise<string[]> {
  const rows = await run<{ tablename: string }>(
    of,
    `SELECT tablename FROM pg_tables WHERE tablename IN ('lasting', 'restored') ORDER BY 1`,
  );
  return rows.map(({ tablename }) => tablename);
}

async function restoredBeside(): Promise<ScratchDatabase> {
  const scratch = await ScratchDatabase.create(url, { force: true, drill: false });
  await run(scratch.url, 'CREATE TABLE restored ()');
  return scratch;
}

beforeEach(async () => {
  url = databaseNamed(inject('services').server, NAME);
  await onServer(`CREATE DATABASE ${NAME}`);
});

afterEach(async () => {
  for (const name of await named()) await onServer(`DROP DATABASE ${name} WITH (FORCE)`);
});

test('what was restored and cannot take its place leaves the database there under its own name', async () => {
  await run(url, 'CREATE TABLE lasting ()');
  const scratch = await restoredBeside();
  // While somebody is connected.
  await withDatabase(scratch.url, 'test', () =>
    expect(scratch.takePlace()).rejects.toThrow('Somebody is connected'),
  );
  await scratch.drop();
  expect(await named()).toEqual([NAME]);
  expect(await tables(url)).toEqual(['lasting']);
});

test('what was restored takes its place, and the database that was there is kept under another', async () => {
  await run(url, 'CREATE TABLE lasting ()');
  const kept = await (await restoredBeside()).takePlace();
  expect(await named()).toEqual([NAME, kept]);
  expect(await tables(url)).toEqual(['restored']);
  expect(await tables(databaseNamed(url, kept ?? ''))).toEqual(['lasting']);
});

test('an empty database is not kept', async () => {
  expect(await (await restoredBeside()).takePlace()).toBeUndefined();
  expect(await named()).toEqual([NAME]);
  expect(await tables(url)).toEqual(['restored']);
});
