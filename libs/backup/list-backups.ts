import type { Keyring } from '#platform/keyring';
import type { BackupStore } from './backup-store.js';
import { CannotBackUp } from './cannot-back-up.js';
import { dumpName, listIds, type Manifest, readManifest } from './manifest.js';

export interface Backups {
  /** Whose manifest is genuine and whose dump is there in its size, oldest first. */
  readonly good: readonly Manifest[];
  /** Ids of the others. */
  readonly bad: readonly string[];
}

/** By a look at what is stored; `verifyBackup` reads it. */
export async function listBackups(store: BackupStore, keyring: Keyring): Promise<Backups> {
  const sizes = new Map((await store.list('')).map(({ name, bytes }) => [name, bytes]));
  const [good, bad]: [Manifest[], string[]] = [[], []];
  for (const id of await listIds(store)) {
    const manifest = await readManifest(store, id, keyring).catch((error: unknown) => {
      if (error instanceof CannotBackUp) return undefined;
      throw error;
    });
    if (manifest !== undefined && sizes.get(dumpName(id)) === manifest.bytes) good.push(manifest);
    else bad.push(id);
  }
  return { good, bad };
}
