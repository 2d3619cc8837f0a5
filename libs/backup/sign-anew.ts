import type { Keyring } from '#platform/keyring';
import type { BackupStore } from './backup-store.js';
import { BadBackup } from './cannot-back-up.js';
import { listIds, readManifest, signingKeyOf, writeManifest } from './manifest.js';

/**
 * Signs the manifests that are under an old key of db_encryption_key with the current one, so that they stay known once the
 * old one is gone from the secret. What a backup holds stays as it was: to restore it needs the keys of its day.
 */
export async function signAnew(store: BackupStore, keyring: Keyring): Promise<readonly string[]> {
  const signed: string[] = [];
  for (const id of await listIds(store)) {
    const keyId = await signingKeyOf(store, id);
    if (keyId === keyring.currentKeyId || !keyring.keyIds.some((known) => known === keyId)) continue;
    const manifest = await readManifest(store, id, keyring).catch((error: unknown) => {
      // A forged one stays what it is, and keeps nothing from the others.
      if (error instanceof BadBackup) return undefined;
      throw error;
    });
    if (manifest === undefined) continue;
    await writeManifest(store, manifest, keyring);
    signed.push(id);
  }
  return signed;
}
