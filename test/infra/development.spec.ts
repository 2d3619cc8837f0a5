import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { Client } from 'pg';
import { afterAll, expect, test } from 'vitest';
import { startPostgres } from '../../infra/dev/postgres.js';
import { makeDevelopmentSecrets } from '../../infra/dev/secrets.js';

// PostgreSQL's own user must be able to walk there, which a folder of the system's temporary ones forbids.
const folder = resolve(`.velum/test/development-${process.pid}`);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('development secrets are made once, for their owner only, in a folder that git ignores', () => {
  const secrets = join(folder, 'secrets');
  const read = (): string[] => readdirSync(secrets).map((name) => readFileSync(join(secrets, name), 'utf8'));
  makeDevelopmentSecrets(secrets);
  const first = read();
  makeDevelopmentSecrets(secrets);
  expect(read()).toEqual(first);
  expect(first).toHaveLength(11);
  expect(statSync(secrets).mode & 0o777).toBe(0o700);
  for (const name of readdirSync(secrets)) expect(statSync(join(secrets, name)).mode & 0o777).toBe(0o600);
  expect(spawnSync('git', ['check-ignore', '-q', '.velum/secrets/secret_key']).status).toBe(0);
});

test('the embedded PostgreSQL starts again, with its data, after it was killed', async () => {
  const data = join(folder, 'postgres');
  const first = await startPostgres(data);
  await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
  const [pid] = readFileSync(join(data, 'data', 'postmaster.pid'), 'utf8').split('\n');
  process.kill(Number(pid), 'SIGKILL');
  const second = await startPostgres(data);
  expect(await query(second.url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
  await second.stop();
});

test('whoever started it ends with the exit code that it set: a failed test run is a failure', () => {
  const script = `
    import { startPostgres } from './dist/infra/dev/postgres.js';
    const server = await startPostgres(${JSON.stringify(join(folder, 'postgres'))});
    await server.stop();
    process.exitCode = 3;`;
  const { status } = spawnSync(process.execPath, ['--input-type=module', '-e', script]);
  expect(status).toBe(3);
});

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new Client({ connectionString: `${url}/postgres` });
  // The server is killed under it.
  client.on('error', () => undefined);
  await client.connect();
  const { rows } = await client.query(text);
  await client.end();
  return rows;
}
