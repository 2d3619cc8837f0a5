import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  ConfigurationError,
  loadBackupEnvironment,
  loadConfig,
  loadCustodianConfig,
  loadWorkerConfig,
} from './config.js';

let folder: string;
let environment: Record<string, string>;

const rsaKey = (bits: number): string =>
  generateKeyPairSync('rsa', {
    modulusLength: bits,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  }).privateKey;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'velum-secrets-'));
  const secrets = {
    secret_key: randomBytes(32).toString('base64'),
    'ip_hash_salt.txt': randomBytes(32).toString('base64'),
    db_encryption_key: `k1:${randomBytes(32).toString('base64')}`,
    custody_encryption_key: `k1:${randomBytes(32).toString('base64')}`,
    'jwt_private_key.pem': rsaKey(2048),
    db_password: 'p@ss/word',
    db_worker_password: 'w@rk',
    db_custodian_password: 'c@st',
  };
  for (const [name, text] of Object.entries(secrets)) writeFileSync(join(folder, name), `${text}\n`);
  environment = {
    SECRETS_DIR: folder,
    DATABASE_URL: `postgres://velum_app@db/velum?sslmode=verify-full&sslrootcert=${join(folder, 'db_password')}`,
    REDIS_URL: 'rediss://cache:6379',
    JWT_ISSUER: 'https://faces.example',
    JWT_AUDIENCE: 'faces',
  };
});

afterAll(() => rmSync(folder, { recursive: true }));

function refusal(change: Record<string, string | undefined>): string {
  try {
    loadConfig({ ...environment, ...change });
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message;
    throw error;
  }
  throw new Error('the configuration was accepted');
}

test('with all that it needs, production starts, takes passwords from their secrets, and freezes what it read', () => {
  const config = loadConfig(environment);
  expect(config.mode).toBe('production');
  expect(config.databaseUrl).toMatch(/^postgres:\/\/velum_app:p%40ss%2Fword@db\/velum\?sslmode=verify-full/);
  expect(config.corsOrigins).toEqual([]);
  expect(Object.isFrozen(config) && Object.isFrozen(config.secrets)).toBe(true);
});

test('Redis is asked again with the password of its file, unless the URL has one', () => {
  const redis_password = join(folder, 'db_password');
  const of = (REDIS_URL: string): string | undefined =>
    loadConfig({ ...environment, REDIS_PASSWORD_FILE: redis_password, REDIS_URL }).redisPasswordFile;
  expect(of('rediss://cache:6379')).toBe(redis_password);
  expect(of('rediss://:its-own@cache:6379')).toBeUndefined();
});

test('the keys of custody are read by who holds custody, and by nobody else', () => {
  const CUSTODIAN_DATABASE_URL = environment['DATABASE_URL']?.replace('velum_app', 'velum_custodian');
  const without = { CUSTODY_ENCRYPTION_KEY_FILE: join(folder, 'nowhere') };
  expect(loadConfig(environment).custodyKeys).toBeUndefined();
  expect(loadConfig({ ...environment, ...without }).custodyKeys).toBeUndefined();
  const held = loadConfig({ ...environment, CUSTODIAN_DATABASE_URL }).custodyKeys;
  expect([held?.lines, held?.former?.currentKeyId]).toEqual([expect.stringMatching(/^k1:/), 'k1']);
  expect(refusal({ CUSTODIAN_DATABASE_URL, ...without })).toContain(
    'the secret custody_encryption_key is missing',
  );
});

test('with a key service the secret holds what it opens, which is told from keys in the clear', () => {
  const wrapped = join(folder, 'wrapped');
  writeFileSync(wrapped, 'c1:vault:v1:8SDd3WHDOjf7mq69CyCqYg==\n');
  const custody = {
    CUSTODIAN_DATABASE_URL: environment['DATABASE_URL']?.replace('velum_app', 'velum_custodian'),
    CUSTODY_KMS_URL: 'https://vault:8200/v1/transit/decrypt/velum',
    CUSTODY_KMS_TOKEN_FILE: join(folder, 'db_password'),
    CUSTODY_ENCRYPTION_KEY_FILE: wrapped,
  };
  const { custodyKeys } = loadConfig({ ...environment, ...custody });
  expect(custodyKeys?.kms).toEqual({ url: custody.CUSTODY_KMS_URL, token: 'p@ss/word', caFile: undefined });
  expect(refusal({ ...custody, CUSTODY_ENCRYPTION_KEY_FILE: undefined })).toContain('malformed');
  expect(refusal({ ...custody, CUSTODY_KMS_URL: 'http://vault/x' })).toContain('CUSTODY_KMS_URL must be');
  expect(refusal({ ...custody, CUSTODY_KMS_TOKEN_FILE: undefined })).toContain(
    'custody_kms_token is missing',
  );
});

test('worker and custodian have a role and a password of their own', () => {
  const as = (role: string): string => environment['DATABASE_URL']?.replace('velum_app', role) ?? '';
  const urls = { WORKER_DATABASE_URL: as('velum_worker'), CUSTODIAN_DATABASE_URL: as('velum_custodian') };
  const config = loadWorkerConfig({ ...environment, ...urls });
  expect(config.databaseUrl).toMatch(/^postgres:\/\/velum_worker:w%40rk@db/);
  expect(config.custodianDatabaseUrl).toMatch(/^postgres:\/\/velum_custodian:c%40st@db/);
  expect(() => loadWorkerConfig(environment)).toThrow('WORKER_DATABASE_URL');
  expect(refusal({ CUSTODIAN_DATABASE_URL: 'postgres://velum_custodian@db/velum' })).toContain(
    'CUSTODIAN_DATABASE_URL must end in ?sslmode=verify-full',
  );
});

test('keys are in this process or behind CUSTODIAN_URL, never both', () => {
  const certificate = join(folder, 'db_password');
  const files = {
    CUSTODIAN_TLS_CA_FILE: certificate,
    CUSTODIAN_TLS_CERT_FILE: certificate,
    CUSTODIAN_TLS_KEY_FILE: certificate,
  };
  const remote = { ...files, CUSTODIAN_URL: 'https://custodian:7443' };
  expect(loadConfig({ ...environment, ...remote })).toMatchObject({
    custodian: { timeoutMs: 15_000, mostCalls: 64 },
    custodianDatabaseUrl: undefined,
  });
  expect(refusal({ ...remote, CUSTODIAN_DATABASE_URL: 'postgres://velum_custodian@db/velum' })).toContain(
    'CUSTODIAN_DATABASE_URL must not be set',
  );
  expect(refusal({ ...remote, CUSTODIAN_URL: 'http://custodian:7443' })).toContain('CUSTODIAN_URL must be');
  expect(refusal({ CUSTODIAN_URL: remote.CUSTODIAN_URL })).toContain('CUSTODIAN_TLS_KEY_FILE must be set');
});

test('the custodian needs its database, the key of keys and certificates, and nothing else', () => {
  const certificate = join(folder, 'db_password');
  const config = loadCustodianConfig({
    SECRETS_DIR: folder,
    CUSTODIAN_DATABASE_URL: `postgres://velum_custodian@db/velum?sslmode=verify-full&sslrootcert=${certificate}`,
    CUSTODIAN_TLS_CA_FILE: certificate,
    CUSTODIAN_TLS_CERT_FILE: certificate,
    CUSTODIAN_TLS_KEY_FILE: certificate,
  });
  expect(config).toMatchObject({ port: 7443, host: '0.0.0.0' });
  expect(config.custodyKeys).toMatchObject({ former: { currentKeyId: 'k1' }, kms: undefined });
  expect(config).not.toHaveProperty('secrets');
  expect(() => loadCustodianConfig({ SECRETS_DIR: folder })).toThrow(
    /CUSTODIAN_DATABASE_URL[^]*CUSTODIAN_TLS_CA_FILE/,
  );
});

test('a secret may hold several signing keys, and a password’s file several passwords, of which the first is taken', () => {
  const [key, passwords] = [join(folder, 'keys'), join(folder, 'passwords')];
  writeFileSync(key, `${rsaKey(2048)}${rsaKey(2048)}`);
  writeFileSync(passwords, 'new\nold\n');
  const files = { JWT_PRIVATE_KEY_FILE: key, DB_PASSWORD_FILE: passwords, REDIS_PASSWORD_FILE: passwords };
  const config = loadConfig({ ...environment, ...files });
  expect(config.secrets.jwtPrivateKeys).toHaveLength(2);
  expect(config.databaseUrl).toContain('velum_app:new@db');
  expect(config.databaseUrl).toContain(`passwordfile=${encodeURIComponent(passwords)}`);
  expect(config.redisUrl).toContain(':new@cache');
  writeFileSync(key, `${rsaKey(2048)}${rsaKey(1024)}`);
  expect(refusal(files)).toContain('the secret jwt_private_key is malformed');
});

test('the key of the audit log is nobody’s who signs nothing; what is there must be of Ed25519', () => {
  expect(loadConfig(environment).secrets.auditSigningKey).toBeUndefined();
  const path = join(folder, 'audit_signing_key');
  writeFileSync(path, rsaKey(2048));
  expect(refusal({})).toContain('the secret audit_signing_key is malformed; make one with: openssl genpkey');
  rmSync(path);
  expect(loadConfig(environment).auditOrigin).toBe('faces.example/audit');
  expect(refusal({ AUDIT_ORIGIN: 'a name+with spaces' })).toContain('AUDIT_ORIGIN');
});

test('for one host alone, which is named, production takes connections that are not encrypted', () => {
  const clear = { DATABASE_URL: 'postgres://velum_app@here/velum', REDIS_URL: 'redis://here:6379' };
  expect(loadConfig({ ...environment, ...clear, PLAINTEXT_HOST: 'here' }).redisUrl).toBe('redis://here:6379');
  expect(refusal({ ...clear, PLAINTEXT_HOST: 'there' })).toContain('DATABASE_URL');
  const elsewhere = { DATABASE_URL: 'postgres://velum_app@here/velum?host=there' };
  expect(refusal({ ...clear, ...elsewhere, PLAINTEXT_HOST: 'here' })).toContain('DATABASE_URL');
});

describe('production does not start', () => {
  test.each(['DATABASE_URL', 'REDIS_URL', 'JWT_ISSUER', 'JWT_AUDIENCE'])('without %s', (name) => {
    expect(refusal({ [name]: undefined })).toContain(name);
  });

  test.each(['secret_key', 'ip_hash_salt', 'db_encryption_key', 'jwt_private_key'])(
    'without the secret %s, and says how to make one',
    (name) => {
      const message = refusal({ [`${name.toUpperCase()}_FILE`]: join(folder, 'nowhere') });
      expect(message).toContain(`the secret ${name} is missing; make one with: `);
      expect(message).toContain('openssl');
    },
  );

  test.each([
    ['secret_key', 'short'],
    ['ip_hash_salt', '2026-11-23'],
    ['db_encryption_key', 'k1:c2hvcnQ='],
    ['jwt_private_key', 'no key'],
    ['jwt_private_key', rsaKey(1024)],
  ])('with a malformed %s, whose value it does not print', (name, text) => {
    const path = join(folder, `malformed-${name}`);
    writeFileSync(path, text);
    const message = refusal({ [`${name.toUpperCase()}_FILE`]: path });
    expect(message).toContain(`the secret ${name} is malformed`);
    expect(message).not.toContain(text);
  });

  test.each([
    ['PORT', '70000'],
    ['PORT', 'three'],
    ['METRICS_PORT', 'on'],
    ['FACE_WORKERS', '0'],
    ['LOG_LEVEL', 'loud'],
    ['VELUM_ENV', 'staging'],
    ['CORS_ORIGINS', '*'],
    ['CORS_ORIGINS', 'https://app.example/path'],
    ['DATABASE_URL', 'not a url'],
    ['WEBHOOK_ALLOWED_NETWORKS', '10.0.0.0/33'],
    ['WEBHOOK_ALLOWED_NETWORKS', '10.0.0.0/8,127.1'],
    ['WEBHOOK_ALLOWED_NETWORKS', 'https://hooks.internal'],
    ['WEBHOOK_RETRY_MS', '0'],
    ['DETECT_MATCH_DAYS', '2'],
    ['DATABASE_URL', 'postgres://velum_app@db/velum'],
    ['DATABASE_URL', 'postgres://velum_app@db/velum?sslmode=require'],
    ['DATABASE_URL', 'postgres://velum_app@db/velum?sslmode=verify-full&sslkey=/nowhere'],
    ['REDIS_URL', 'redis://cache:6379'],
    ['REDIS_CA_FILE', '/nowhere'],
  ])('with %s=%s', (name, value) => {
    expect(refusal({ [name]: value })).toContain(name);
  });

  test('and names everything that is wrong at once', () => {
    const message = refusal({ JWT_ISSUER: undefined, PORT: '-1', SECRET_KEY_FILE: '/nowhere' });
    for (const name of ['JWT_ISSUER', 'PORT', 'secret_key']) expect(message).toContain(name);
  });

  test('on the secrets of a development folder', () => {
    expect(refusal({ SECRETS_DIR: undefined })).toContain('the secret secret_key is missing');
  });
});

describe('backups', () => {
  const recipient = `age1${'q'.repeat(58)}`;
  const target = { BACKUP_RECIPIENTS: recipient, BACKUP_TARGET: 's3://faces/prod/' };

  test('are off unless a target is named', () => {
    expect(loadConfig(environment).backup).toBeUndefined();
    expect(loadConfig({ ...environment, ...target }).backup).toMatchObject({
      target: { kind: 's3', bucket: 'faces', prefix: 'prod/' },
      recipients: [recipient],
      retention: { daily: 7, weekly: 5, monthly: 12 },
    });
  });

  test('never have the whole of a bucket for themselves', () => {
    const { backup } = loadConfig({ ...environment, ...target, BACKUP_TARGET: 's3://faces' });
    expect(backup?.target).toMatchObject({ prefix: 'velum/' });
  });

  test.each([
    ['BACKUP_TARGET', 'backups'],
    ['BACKUP_TARGET', 'https://faces.example'],
    ['BACKUP_RECIPIENTS', ''],
    ['BACKUP_RECIPIENTS', 'AGE-SECRET-KEY-1QQQ'],
    ['BACKUP_KEEP_DAILY', '-1'],
  ])('are not made with a %s of "%s", which is named and not shown', (name, value) => {
    const message = refusal({ ...target, [name]: value });
    expect(message).toContain(name);
    if (value !== '') expect(message).not.toContain(value);
  });

  test('are made without any other secret than db_encryption_key', () => {
    const { SECRETS_DIR } = environment;
    expect(loadBackupEnvironment({ ...target, SECRETS_DIR }).keyring.currentKeyId).toBe('k1');
    expect(() => loadBackupEnvironment({ SECRETS_DIR })).toThrow(ConfigurationError);
  });
});
