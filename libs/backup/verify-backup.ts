import type { Keyring } from '#platform/keyring';
import { decrypt } from './age-file.js';
import type { BackupStore } from './backup-store.js';
import { readShipments } from './erasure-shipment.js';
import { measure, Measured, requireSame } from './internal/streams.js';
import { feed } from './internal/postgres-tools.js';
import { readShares, requireArchive } from './key-archive.js';
import { dumpName, findBackup, type Manifest, redisName } from './manifest.js';

/**
 * Reads a backup to its end; with a private key decrypts it too, with the erasures since and the archive of keys, without
 * which there is no restore, and lets pg_restore read its table of contents.
 */
export async function verifyBackup(
  store: BackupStore,
  wanted: string,
  keyring: Keyring,
  identities: readonly string[],
): Promise<Manifest> {
  const manifest = await findBackup(store, wanted, keyring);
  await requireArchive(store, manifest);
  if (manifest.redis) requireSame(manifest.redis, await measure(store.read(redisName(manifest.id))));
  if (identities.length === 0) {
    requireSame(manifest, await measure(store.read(dumpName(manifest.id))));
    return manifest;
  }
  await readShares(store, identities, keyring);
  await readShipments(store, manifest.erasuresShipped, identities, keyring);
  await feed('pg_restore', ['--file=/dev/null'], openDump(store, manifest, identities));
  return manifest;
}

/** The dump as pg_dump wrote it; throws at its end if it is not the one of the manifest. */
export async function* openDump(
  store: BackupStore,
  manifest: Manifest,
  identities: readonly string[],
): AsyncGenerator<Uint8Array> {
  const read = new Measured();
  yield* decrypt(read.pass(store.read(dumpName(manifest.id))), identities);
  requireSame(manifest, read.result());
}
