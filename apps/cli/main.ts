import { BadBackup, CannotBackUp } from '#backup/cannot-back-up';
import { ConfigurationError } from '#platform/config';
import { DomainError } from '#platform/domain-error';
import { MigrationRefused } from '#platform/migration-refused';
import { Command } from 'commander';
import { CannotAudit } from './audit/cannot-audit.js';
import { CannotEnrol } from './enrol/cannot-enrol.js';
import { SmokeFailed } from './smoke/smoke-failed.js';

/** Each is loaded when it is asked for: a client of the API needs neither Nest nor a database driver. */
const COMMANDS: Readonly<Record<string, () => Promise<{ readonly command: Command }>>> = {
  migrate: () => import('./migrate.command.js'),
  officers: () => import('./officers.command.js'),
  clients: () => import('./clients.command.js'),
  enrol: () => import('./enrol/enrol.command.js'),
  backup: () => import('./backup/backup.command.js'),
  restore: () => import('./backup/restore.command.js'),
  'restore-drill': () => import('./backup/restore-drill.command.js'),
  keys: () => import('./keys.command.js'),
  retention: () => import('./retention.command.js'),
  audit: () => import('./audit/audit.command.js'),
  smoke: () => import('./smoke.command.js'),
};

/** Those that say what to do. */
const KNOWN = [
  CannotAudit,
  ConfigurationError,
  DomainError,
  CannotEnrol,
  CannotBackUp,
  MigrationRefused,
  SmokeFailed,
];

const program = new Command('velum').description('Administers a Velum installation.');
const named = COMMANDS[process.argv[2] ?? ''];
for (const load of named === undefined ? Object.values(COMMANDS) : [named]) {
  program.addCommand((await load()).command);
}

try {
  await program.parseAsync();
} catch (error) {
  const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
  const known = KNOWN.some((kind) => error instanceof kind) && error instanceof Error;
  console.error(known ? error.message : `That failed${code}. Is the database up, and has it been migrated?`);
  // What broke off may have left connections and threads open, which would keep the process waiting.
  process.exit(error instanceof BadBackup ? 2 : error instanceof MigrationRefused ? 3 : 1);
}
