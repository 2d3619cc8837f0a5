import type { EntityManager } from 'typeorm';

/** What the worker last saw of the backups, which another process makes (docs/adr/0017-backups.md). */
export type BackupState =
  | { readonly target: 'none' }
  | {
      readonly target: 'folder' | 's3';
      readonly region: string | null;
      readonly newest: Date | 'none' | 'unknown';
      /** Null: the worker of the version before did not say. */
      readonly keepLogDays: number | null;
    };

interface Sighting {
  readonly target: 'folder' | 's3';
  readonly region: string | null;
  readonly newest_at: Date | null;
  readonly keep_log_days: number | null;
  readonly fresh: boolean;
}

export async function readBackups(tx: EntityManager): Promise<BackupState> {
  const [seen] = await tx.query<Sighting[]>(
    // The worker looks each minute: one that has not seen anything for an hour is not there, or cannot.
    `SELECT target, region, newest_at, keep_log_days, looked_at > now() - interval '1 hour' AS fresh FROM backup_sighting`,
  );
  if (seen === undefined) return { target: 'none' };
  const { target, region, newest_at: newest, keep_log_days: keepLogDays, fresh } = seen;
  return { target, region, newest: fresh ? (newest ?? 'none') : 'unknown', keepLogDays };
}
