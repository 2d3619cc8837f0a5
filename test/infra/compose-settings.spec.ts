import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

/** What Compose sets by itself, or what has no meaning in its containers. */
const ITS_OWN = new Set([
  'VELUM_ENV',
  'HOST',
  'PORT',
  'DATABASE_URL',
  'WORKER_DATABASE_URL',
  'CUSTODIAN_DATABASE_URL',
  'MIGRATION_DATABASE_URL',
  'BACKUP_DATABASE_URL',
  'REDIS_URL',
  'PLAINTEXT_HOST',
  'SPOOL_DIR',
  'METRICS_HOST',
  'METRICS_PORT',
  'TRUSTED_PROXIES',
  'LOG_ARCHIVE_DIR',
  'BACKUP_IDENTITY_FILE',
]);

test('every setting of the guide reaches a container from .env.production, but those that Compose sets', () => {
  const guide = readFileSync('docs/operations.md', 'utf8');
  const table = guide.slice(guide.indexOf('## Configuration')).split('\n');
  const names = table
    .filter((line) => line.startsWith('| `'))
    .flatMap((line) => line.split('|')[1]?.match(/[A-Z][A-Z0-9_]+/g) ?? [])
    .filter((name) => !/_FILE$|^CUSTODIAN_(URL|HOST|PORT)$/.test(name) && !ITS_OWN.has(name));
  expect(names.length).toBeGreaterThan(30);
  const compose = ['prod', 'kms'].map((file) => readFileSync(`docker-compose.${file}.yml`, 'utf8')).join();
  expect(names.filter((name) => !new RegExp(`\\b${name}: *'?\\$\\{${name}\\b`).test(compose))).toEqual([]);
});
