import { Redis } from 'ioredis';
import { spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../../infra/dev/ports.js';
import { Authority, type Certificate } from '../harness/certificates.js';
import { Stack } from '../harness/stack.js';
import { createGallery, embedding, enrolledPerson, identify, ok } from '../harness/story.js';
import { TestClient } from '../harness/test-client.js';

let stack: Stack;
let authority: Authority;
let stranger: Authority;
let appCertificate: Certificate;
let production: Record<string, string>;

beforeAll(async () => {
  stack = await Stack.start({ apis: 0, ownServers: true });
  const folder = join(dirname(stack.spoolFolder), 'tls');
  mkdirSync(folder);
  authority = new Authority(folder, 'authority');
  stranger = new Authority(folder, 'stranger');
  const server = authority.sign('server');
  appCertificate = authority.sign('velum_app');
  await encryptPostgres(server);
  const redisPort = await encryptRedis(server);
  production = {
    VELUM_ENV: 'production',
    HOST: '127.0.0.1',
    JWT_ISSUER: 'https://faces.example',
    JWT_AUDIENCE: 'faces',
    DATABASE_URL: databaseUrl(authority.cert, appCertificate),
    WORKER_DATABASE_URL: databaseUrl(authority.cert, authority.sign('velum_worker'), stack.urls.worker),
    CUSTODIAN_DATABASE_URL: databaseUrl(
      authority.cert,
      authority.sign('velum_custodian'),
      stack.urls.custodian,
    ),
    REDIS_URL: `rediss://:test@localhost:${redisPort}`,
    REDIS_CA_FILE: authority.cert,
  };
});

afterAll(() => stack.stop());

test('in production all connections to PostgreSQL and Redis are encrypted, and the main job works over them', async () => {
  const env = { ...stack.env, ...production };
  await stack.startApi(production);
  const client = await TestClient.connect(stack.url, credentialsBy(env));
  const gallery = await createGallery(client);
  const { consentId } = await enrolledPerson(client, gallery, embedding(1));
  // Another process reads the gallery over a connection of its own kind.
  const other = client.at((await stack.startApi(production)).url);
  expect(ok(await identify(other, gallery, embedding(1))).candidates).toHaveLength(1);
  await stack.startWorker(production);
  ok(await client.post(`/v1/consents/${consentId}/withdraw`));
  await expect.poll(() => count('template'), { timeout: 20_000 }).toBe(0);

  const { rows } = await stack.owner.query(
    `SELECT DISTINCT application_name, ssl, client_dn FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
     WHERE usename LIKE 'velum_%' ORDER BY 1, 3`,
  );
  expect(rows).toEqual(
    [
      ['velum-api', 'velum_app'],
      ['velum-custodian', 'velum_custodian'],
      ['velum-rows', 'velum_app'],
      ['velum-worker', 'velum_worker'],
    ].map(([application_name, role]) => ({ application_name, ssl: true, client_dn: `/CN=${role}` })),
  );
  expect((await fetch(`${stack.worker?.internalUrl}/health/ready`)).status).toBe(200);
});

test.each([
  ['in the clear', () => stack.urls.app, '28000'],
  ['without a certificate', () => databaseUrl(authority.cert), '28000'],
  ['with a certificate of another role', () => databaseUrl(authority.cert, authority.sign('other')), '28P01'],
  [
    'with a certificate that a stranger signed',
    () => databaseUrl(authority.cert, stranger.sign('velum_app')),
    'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA',
  ],
  [
    'where another authority vouches for the server',
    () => databaseUrl(stranger.cert, appCertificate),
    'SELF_SIGNED_CERT_IN_CHAIN',
  ],
])('nobody gets into the database %s', (_, url, code) => {
  expect(migrate(url(), { PLAINTEXT_HOST: '127.0.0.1' })).toContain(`That failed (${code}).`);
});

test('a Redis that another authority vouches for is not used: the API says that it is not ready', async () => {
  const api = await stack.startApi({ ...production, REDIS_CA_FILE: stranger.cert });
  const response = await fetch(`${api.url}/health/ready`);
  expect(response.status).toBe(503);
  expect((await response.json()).errors).toContainEqual({ field: 'redis', message: 'down' });
});

test('who signs Redis’s certificate may be replaced while API and worker run: they read it for the next connection', async () => {
  const file = join(dirname(stack.spoolFolder), 'tls/redis-ca.crt');
  writeFileSync(file, readFileSync(authority.cert));
  const env = { ...production, REDIS_CA_FILE: file };
  const [api, worker] = [await stack.startApi(env), await stack.startWorker(env)];
  const redis = new Redis(production['REDIS_URL'] ?? '', { tls: { rejectUnauthorized: false } });
  const renew = async (by: Authority): Promise<void> => {
    const { cert, key } = by.sign('redis');
    await redis.call('CONFIG', 'SET', 'tls-cert-file', cert, 'tls-key-file', key);
    await redis.call('CLIENT', 'KILL', 'SKIPME', 'yes');
  };
  const ready = async (): Promise<number[]> =>
    Promise.all(
      [api.url, worker.internalUrl].map(async (url) => (await fetch(`${url}/health/ready`)).status),
    );
  expect(await ready()).toEqual([200, 200]);
  await renew(stranger);
  await expect.poll(ready, { timeout: 20_000 }).toEqual([503, 503]);
  writeFileSync(file, readFileSync(stranger.cert));
  await expect.poll(ready, { timeout: 20_000 }).toEqual([200, 200]);
  await renew(authority);
  redis.disconnect();
});

test('migrations run over TLS only, too', () => {
  expect(migrate(stack.urls.owner)).toContain('MIGRATION_DATABASE_URL must end in ?sslmode=verify-full');
  const owner = new URL(databaseUrl(authority.cert, authority.sign('postgres')));
  Object.assign(owner, { username: 'postgres', password: new URL(stack.urls.owner).password });
  expect(migrate(owner.toString())).toContain('up to date');
});

/** Answers what the command says. */
function migrate(url: string, change: Record<string, string> = {}): string {
  const settings = { ...production, SECRETS_DIR: '/nowhere', MIGRATION_DATABASE_URL: url, ...change };
  const env = { ...process.env, ...settings };
  const args = ['dist/apps/cli/main.js', 'migrate'];
  const { stdout, stderr } = spawnSync(process.execPath, args, { env, encoding: 'utf8' });
  return stdout + stderr;
}

/** Without the lines for the clear that PostgreSQL begins with. */
async function encryptPostgres({ cert, key }: Certificate): Promise<void> {
  const { rows } = await stack.owner.query('SHOW hba_file');
  const hba: string = rows[0].hba_file;
  const { uid, gid } = statSync(hba);
  for (const path of [cert, key, authority.cert]) chownSync(path, uid, gid);
  writeFileSync(
    hba,
    [
      'host    all postgres  127.0.0.1/32 scram-sha-256',
      'hostssl all postgres  samehost     scram-sha-256 clientcert=verify-full',
      ...['velum_app', 'velum_worker', 'velum_custodian'].map(
        (role) => `hostssl all ${role} samehost scram-sha-256 clientcert=verify-full`,
      ),
    ].join('\n'),
  );
  const settings = { ssl_cert_file: cert, ssl_key_file: key, ssl_ca_file: authority.cert, ssl: 'on' };
  for (const [name, value] of Object.entries(settings))
    await stack.owner.query(`ALTER SYSTEM SET ${name} = '${value}'`);
  await stack.owner.query('SELECT pg_reload_conf()');
}

/** Answers the port; none is left for the clear. */
async function encryptRedis({ cert, key }: Certificate): Promise<number> {
  const port = await freePort();
  const redis = new Redis(stack.redisUrl);
  await redis.call(
    'CONFIG',
    'SET',
    'tls-cert-file',
    cert,
    'tls-key-file',
    key,
    'tls-ca-cert-file',
    authority.cert,
  );
  await redis.call('CONFIG', 'SET', 'tls-auth-clients', 'no');
  await redis.call('CONFIG', 'SET', 'tls-port', String(port));
  await redis.call('CONFIG', 'SET', 'port', '0');
  redis.disconnect();
  return port;
}

function databaseUrl(rootCert: string, certificate?: Certificate, role = stack.urls.app): string {
  const url = new URL(role);
  url.hostname = 'localhost';
  url.searchParams.set('sslmode', 'verify-full');
  url.searchParams.set('sslrootcert', rootCert);
  if (certificate !== undefined) {
    url.searchParams.set('sslcert', certificate.cert);
    url.searchParams.set('sslkey', certificate.key);
  }
  return url.toString();
}

function credentialsBy(env: Record<string, string>): { clientId: string; clientSecret: string } {
  const args = ['dist/apps/cli/main.js', 'clients', 'create', '--name', 'tls', '--scopes', 'all', '--json'];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, {
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

async function count(table: string): Promise<number> {
  const { rows } = await stack.owner.query(`SELECT count(*)::int AS n FROM ${table}`);
  return rows[0].n;
}
