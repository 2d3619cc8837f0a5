import { isAbsolute } from 'node:path';
import { list, whole } from './environment-values.js';
import { type Environment, type Mode, readSecret } from './secrets.js';

export type BackupTarget =
  | { readonly kind: 'folder'; readonly folder: string }
  | {
      readonly kind: 's3';
      readonly bucket: string;
      /** Ends with a slash; nothing else in the bucket is looked at. */
      readonly prefix: string;
      readonly endpoint: string | undefined;
      readonly region: string;
      /** Undefined: as the AWS SDK finds them, from the role of the machine for example. */
      readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;
    };

/** How many of the newest days, weeks and months keep their last backup. */
export interface RetentionPolicy {
  readonly daily: number;
  readonly weekly: number;
  readonly monthly: number;
}

export interface BackupConfig {
  readonly target: BackupTarget;
  /** Public keys; who holds one of their private keys can read the backups. */
  readonly recipients: readonly string[];
  readonly retention: RetentionPolicy;
  /** How long archived logs are kept. */
  readonly keepLogDays: number;
  /** Where Fluentd leaves the files of a day. */
  readonly logArchive: string | undefined;
  /** How often the worker ships erasures. */
  readonly journalSeconds: number;
  /** When the daily backup is made, by UTC. */
  readonly at: { readonly hour: number; readonly minute: number };
}

const RECIPIENT = /^age1[a-z0-9]{50,}$/;

export function parseBackupConfig(env: Environment, mode: Mode, faults: string[]): BackupConfig | undefined {
  const target = targetOf(env, mode);
  if (target === undefined) faults.push('BACKUP_TARGET must be /an/absolute/folder or s3://bucket/prefix');
  const recipients = list(env, 'BACKUP_RECIPIENTS');
  if (recipients.length === 0 || !recipients.every((recipient) => RECIPIENT.test(recipient))) {
    faults.push('BACKUP_RECIPIENTS must be age1… public keys parted by commas; make one with: backup keygen');
  }
  const keep = (name: string, fallback: number): number => whole(env, name, fallback, 0, 10_000, faults);
  const retention = {
    daily: keep('BACKUP_KEEP_DAILY', 7),
    weekly: keep('BACKUP_KEEP_WEEKLY', 5),
    monthly: keep('BACKUP_KEEP_MONTHLY', 12),
  };
  // DPDP Rules 2025, rule 6(1)(e): logs are kept for a year, which may be a leap year.
  const keepLogDays = whole(env, 'BACKUP_KEEP_LOG_DAYS', 366, 1, 10_000, faults);
  const logArchive = env['LOG_ARCHIVE_DIR'] || undefined;
  const journalSeconds = whole(env, 'BACKUP_JOURNAL_SECONDS', 5, 1, 3_600, faults);
  const [, hour, minute] = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(env['BACKUP_AT'] || '02:30') ?? [];
  if (hour === undefined) faults.push('BACKUP_AT must be a time of day by UTC, such as 02:30');
  const at = { hour: Number(hour), minute: Number(minute) };
  return (
    target && Object.freeze({ target, recipients, retention, keepLogDays, logArchive, journalSeconds, at })
  );
}

function targetOf(env: Environment, mode: Mode): BackupTarget | undefined {
  const text = env['BACKUP_TARGET'] ?? '';
  if (isAbsolute(text)) return { kind: 'folder', folder: text };
  const [, bucket, path = ''] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/.exec(text) ?? [];
  if (bucket === undefined) return undefined;
  const accessKeyId = readSecret(env, mode, 'aws_access_key_id');
  const secretAccessKey = readSecret(env, mode, 'aws_secret_access_key');
  return {
    kind: 's3',
    bucket,
    // Never the whole of a bucket: what is pruned is looked for below the prefix alone.
    prefix: `${path.replace(/\/+$/, '') || 'velum'}/`,
    endpoint: env['BACKUP_S3_ENDPOINT'] || undefined,
    region: env['BACKUP_S3_REGION'] || 'us-east-1',
    credentials: accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey } : undefined,
  };
}
