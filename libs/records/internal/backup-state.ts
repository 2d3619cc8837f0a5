import type { Config } from '#platform/config';
import { setTimeout } from 'node:timers/promises';

/** What this process can see of the backups; another one makes them (docs/adr/0017-backups.md). */
export type BackupState =
  | { readonly target: 'none' }
  | {
      readonly target: 'folder' | 's3';
      readonly region: string | null;
      readonly newest: Date | 'none' | 'unknown';
    };

const PATIENCE_MS = 3_000;

export async function readBackups({ backup, secrets }: Config): Promise<BackupState> {
  if (backup === undefined) return { target: 'none' };
  const { target } = backup;
  const region = target.kind === 's3' ? target.region : null;
  const read = async (): Promise<Date | 'none'> => {
    // Here and not above: the client of S3 is large, and most processes never ask.
    const { openStore } = await import('#backup/open-store');
    const { findBackup, listIds } = await import('#backup/manifest');
    const store = openStore(target);
    if ((await listIds(store)).length === 0) return 'none';
    return new Date((await findBackup(store, 'latest', secrets.dbEncryptionKeys)).takenAt);
  };
  const late = setTimeout(PATIENCE_MS, 'unknown' as const, { ref: false });
  const newest = await Promise.race([read().catch(() => 'unknown' as const), late]);
  return { target: target.kind, region, newest };
}
