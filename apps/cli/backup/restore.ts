import { openStore } from '#backup/open-store';
import { restoreBackup, type RestoreReport } from '#backup/restore-backup';
import {
  ConfigurationError,
  loadBackupEnvironment,
  loadConfig,
  migrationDatabaseUrl,
} from '#platform/config';
import { requireIdentities } from './identity-option.js';
import { inRestoredDatabase } from './in-restored-database.js';
import { inWords } from './report.js';

export interface RestoreOptions {
  readonly into?: string;
  readonly identity?: string;
  readonly force?: true;
  readonly json?: true;
}

/** What `restore` and `restore-drill` share: the drill leaves the last step out. */
export async function restore(
  wanted: string,
  { into, identity, force, json }: RestoreOptions,
  drill: boolean,
): Promise<RestoreReport> {
  const started = performance.now();
  const { backup, keyring } = loadBackupEnvironment();
  const { databaseUrl: app, custodianDatabaseUrl: custodian } = loadConfig();
  if (custodian === undefined) throw new ConfigurationError('CUSTODIAN_DATABASE_URL must be set to a URL.');
  const request = {
    wanted,
    into: into ?? migrationDatabaseUrl(),
    as: { app, custodian },
    identities: requireIdentities(identity),
    keyring,
    force: force === true,
    drill,
  };
  const report = await restoreBackup(request, openStore(backup.target), inRestoredDatabase);
  console.log(
    json === true ? JSON.stringify(report) : inWords(report, (performance.now() - started) / 1_000),
  );
  return report;
}
