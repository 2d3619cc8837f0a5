import { spawnSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { asOwner } from '../../infra/dev/database.js';
import { Stack } from '../harness/stack.js';

let stack: Stack;

beforeAll(async () => {
  stack = await Stack.start({ apis: 0 });
});

afterAll(() => stack.stop());

/** Starts an app that must end by itself; answers its exit code and what it says to the operator. */
function start(
  app: 'api' | 'worker',
  env: Record<string, string>,
): { status: number | null; stderr: string } {
  return spawnSync(process.execPath, [`dist/apps/${app}/main.js`], {
    env: { PATH: process.env['PATH'], ...stack.env, ...env },
    encoding: 'utf8',
    timeout: 30_000,
  });
}

function as(url: string): Record<string, string> {
  return { DATABASE_URL: url, WORKER_DATABASE_URL: url };
}

test.each(['api', 'worker'] as const)(
  'the %s does not start without the custodian of its own role',
  (app) => {
    const { status, stderr } = start(app, { CUSTODIAN_DATABASE_URL: '' });
    expect([status, stderr.trim()]).toEqual([
      1,
      expect.stringContaining('CUSTODIAN_DATABASE_URL must be set'),
    ]);
  },
);

test('the worker does not start as the API', () => {
  const { status, stderr } = start('worker', { WORKER_DATABASE_URL: '' });
  expect([status, stderr.trim()]).toEqual([1, expect.stringContaining('WORKER_DATABASE_URL must be set')]);
});

test.each(['api', 'worker'] as const)(
  'the %s does not start as a role that may change the audit log',
  (app) => {
    const { status, stderr } = start(app, as(stack.urls.owner));
    expect([status, stderr.trim()]).toEqual([1, expect.stringContaining('may change the audit log')]);
  },
);

test.each(['api', 'worker'] as const)('the %s says so when the database is not migrated', async (app) => {
  const empty = `${stack.database}_empty`;
  await asOwner(stack.urls.owner, (client) => client.query(`CREATE DATABASE ${empty}`));
  const { status, stderr } = start(app, as(stack.urls.app.replace(/[^/]+$/, empty)));
  await asOwner(stack.urls.owner, (client) => client.query(`DROP DATABASE ${empty} WITH (FORCE)`));
  expect([status, stderr.trim()]).toEqual([1, expect.stringContaining('is not migrated. Run: ')]);
});

test('a secret that is missing is named, with how to make one, and its value is nowhere', () => {
  const { status, stderr } = start('api', { SECRETS_DIR: '/nowhere' });
  expect(status).toBe(1);
  for (const name of ['secret_key', 'jwt_private_key', 'db_encryption_key', 'ip_hash_salt']) {
    expect(stderr).toContain(`the secret ${name} is missing; make one with: `);
  }
});

test('the worker does not start without the key of the audit log, which the API does not need', () => {
  const secrets = `${stack.env['SECRETS_DIR']}-of-an-api`;
  cpSync(stack.env['SECRETS_DIR'] ?? '', secrets, { recursive: true });
  rmSync(join(secrets, 'audit_signing_key'));
  const { status, stderr } = start('worker', { SECRETS_DIR: secrets });
  rmSync(secrets, { recursive: true });
  const says = 'the secret audit_signing_key is missing; make one with: openssl genpkey -algorithm ED25519';
  expect([status, stderr.trim()]).toEqual([1, expect.stringContaining(says)]);
});

test('an API that cannot reach its database does not start, and does not print where it looked', () => {
  const url = new URL(stack.urls.app);
  url.port = '1';
  const { status, stderr } = start('api', { DATABASE_URL: url.toString() });
  expect(status).toBe(1);
  expect(stderr).not.toContain(url.password);
});
