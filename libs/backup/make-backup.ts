import type { Keyring } from '#platform/keyring';
import { withDatabase } from '#platform/one-off-database';
import { randomBytes } from 'node:crypto';
import type { DataSource, EntityManager } from 'typeorm';
import { encrypt } from './age-file.js';
import type { BackupStore } from './backup-store.js';
import { measure, Measured, requireSame } from './internal/streams.js';
import { outputOf, requireTool } from './internal/postgres-tools.js';
import { readFacts } from './internal/snapshot.js';
import { dumpName, type Manifest, writeManifest } from './manifest.js';

export interface BackupSource {
  readonly databaseUrl: string;
  readonly recipients: readonly string[];
  /** Signs the manifest. */
  readonly keyring: Keyring;
}

/**
 * Dumps, encrypts and stores in one stream, reads back what was stored, and only then writes the manifest that makes it
 * a backup. Whatever breaks before leaves none.
 */
export function makeBackup(
  { databaseUrl, recipients, keyring }: BackupSource,
  store: BackupStore,
): Promise<Manifest> {
  return withDatabase(databaseUrl, 'velum-backup', (db) =>
    inSnapshot(db, async (tx, snapshot) => {
      const facts = await readFacts(tx);
      await requireTool('pg_dump', facts.postgres);
      const id = `${facts.takenAt.replaceAll(/[-:]/g, '')}-${randomBytes(3).toString('hex')}`;
      const args = ['--format=custom', '--compress=1', '--lock-wait-timeout=60s', `--snapshot=${snapshot}`];
      const written = new Measured();
      await store.put(
        dumpName(id),
        written.pass(encrypt(outputOf('pg_dump', args, databaseUrl), recipients)),
      );
      const stored = written.result();
      requireSame(stored, await measure(store.read(dumpName(id))));
      const manifest: Manifest = { format: 1, id, ...facts, ...stored };
      await writeManifest(store, manifest, keyring);
      return manifest;
    }),
  );
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
