import type { Keyring } from '#platform/keyring';
import { withDatabase } from '#platform/one-off-database';
import type { RedisServer } from '#platform/redis';
import { randomInt } from 'node:crypto';
import type { DataSource, EntityManager } from 'typeorm';
import { encrypt } from './age-file.js';
import type { BackupStore } from './backup-store.js';
import { LEFT_OUT } from './internal/left-out.js';
import { type Measure, measure, Measured, requireSame } from './internal/streams.js';
import { outputOf, requireTool } from './internal/postgres-tools.js';
import { readFacts } from './internal/snapshot.js';
import { removeEarlierArchives, requireSuccession, writeKeyArchive } from './key-archive.js';
import { dumpName, type Manifest, redisName, writeManifest } from './manifest.js';
import { RedisFailed, redisSnapshot } from './redis-snapshot.js';

export interface BackupSource {
  readonly databaseUrl: string;
  readonly recipients: readonly string[];
  /** Signs the manifest. */
  readonly keyring: Keyring;
  /** Undefined: it is left out. */
  readonly redis: RedisServer | undefined;
}

/**
 * Dumps, encrypts and stores in one stream, reads back what was stored, and only then writes the manifest that makes it
 * a backup. Whatever breaks before leaves none.
 */
export function makeBackup(
  { databaseUrl, recipients, keyring, redis }: BackupSource,
  store: BackupStore,
): Promise<Manifest> {
  return withDatabase(databaseUrl, 'velum-backup', (db) =>
    inSnapshot(db, async (tx, snapshot) => {
      const facts = await readFacts(tx);
      await requireTool('pg_dump', facts.postgres);
      const id = await idOf(tx, facts.takenAt);
      await requireSuccession(tx, store, id, keyring);
      const args = [
        '--format=custom',
        '--compress=1',
        '--lock-wait-timeout=60s',
        `--snapshot=${snapshot}`,
        ...LEFT_OUT.map((table) => `--exclude-table-data=${table}`),
      ];
      const dump = outputOf('pg_dump', args, databaseUrl);
      const stored = await storeSealed(store, dumpName(id), dump, recipients);
      const snapshotOfRedis = redis && (await storeRedis(store, id, redis, recipients));
      // Before the manifest: what counts as a backup can be opened.
      await writeKeyArchive(tx, store, id, recipients, keyring);
      const manifest: Manifest = { format: 1, id, ...facts, ...stored, redis: snapshotOfRedis ?? null };
      await writeManifest(store, manifest, keyring);
      await removeEarlierArchives(store, id);
      return manifest;
    }),
  );
}

/** By their ids backups stand in the order of their snapshots, those of one second too. */
async function idOf(tx: EntityManager, takenAt: string): Promise<string> {
  const [now] = await tx.query<{ ms: number }[]>(
    'SELECT floor(extract(milliseconds FROM now()))::int % 1000 AS ms',
  );
  const within = (now?.ms ?? 0) * 2 ** 14 + randomInt(2 ** 14);
  return `${takenAt.replaceAll(/[-:]/g, '')}-${within.toString(16).padStart(6, '0')}`;
}

async function storeSealed(
  store: BackupStore,
  name: string,
  plain: AsyncIterable<Uint8Array>,
  recipients: readonly string[],
): Promise<Measure> {
  const written = new Measured();
  await store.put(name, written.pass(encrypt(plain, recipients)));
  const stored = written.result();
  requireSame(stored, await measure(store.read(name)));
  return stored;
}

/** A restore does without it, so a backup does not fail for it. */
async function storeRedis(
  store: BackupStore,
  id: string,
  redis: RedisServer,
  recipients: readonly string[],
): Promise<Measure | undefined> {
  try {
    return await storeSealed(store, redisName(id), redisSnapshot(redis), recipients);
  } catch (error) {
    if (error instanceof RedisFailed) return undefined;
    throw error;
  }
}

/** What pg_dump sees and what the manifest tells are one moment. */
function inSnapshot<R>(
  db: DataSource,
  work: (tx: EntityManager, snapshot: string) => Promise<R>,
): Promise<R> {
  return db.transaction('REPEATABLE READ', async (tx) => {
    await tx.query('SET TRANSACTION READ ONLY');
    await tx.query('SET LOCAL idle_in_transaction_session_timeout = 0');
    const [exported] = await tx.query<{ snapshot: string }[]>('SELECT pg_export_snapshot() AS snapshot');
    return work(tx, exported?.snapshot ?? '');
  });
}
