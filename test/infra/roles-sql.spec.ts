import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { asOwner } from '../../infra/dev/database.js';
import { type DebianPostgres, hasDebianPostgres, startDebianPostgres } from '../harness/debian-postgres.js';

const PASSWORDS = ['db_owner', 'db', 'db_worker', 'db_custodian', 'db_backup'];

describe.skipIf(!hasDebianPostgres && process.env['CI'] === undefined)('the roles of the database', () => {
  const scratch = mkdtempSync(join(inject('services').scratch, 'roles-'));
  let server: DebianPostgres;

  beforeAll(async () => {
    server = await startDebianPostgres(join(scratch, 'postgres'));
  });

  afterAll(() => {
    server?.stop();
    rmSync(scratch, { recursive: true, force: true });
  });

  /** As deploy.sh does. */
  function makeRoles(): { status: number | null; stderr: string } {
    const settings = PASSWORDS.map((name) => `\\set ${name}_password 'x'`);
    const input = [...settings, '\\set bridge false', readFileSync('infra/postgres/roles.sql', 'utf8')].join(
      '\n',
    );
    return spawnSync(
      join(server.programs, 'psql'),
      ['-qtAX', '-v', 'ON_ERROR_STOP=1', '-d', `${server.url}/postgres`],
      { input, encoding: 'utf8' },
    );
  }

  async function databases(): Promise<string[]> {
    const { rows } = await asOwner(`${server.url}/postgres`, (client) =>
      client.query(`SELECT datname FROM pg_database WHERE datname LIKE 'velum%' ORDER BY 1`),
    );
    return rows.map(({ datname }) => datname);
  }

  test('come with an empty database, but not where a restore has put the real one aside', async () => {
    const made = makeRoles();
    expect([made.status, made.stderr, await databases()]).toEqual([0, '', ['velum']]);
    const aside = 'velum_before_20261129000000';
    await asOwner(`${server.url}/postgres`, (client) =>
      client.query(`ALTER DATABASE velum RENAME TO ${aside}`),
    );
    const refused = makeRoles();
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toContain(`ALTER DATABASE ${aside} RENAME TO velum`);
    expect(await databases()).toEqual([aside]);
    await asOwner(`${server.url}/postgres`, (client) => client.query('CREATE DATABASE velum'));
    expect([makeRoles().status, await databases()]).toEqual([0, ['velum', aside]]);
  });
});
