import { ConfigurationError } from '#platform/config';
import { DomainError } from '#platform/domain-error';
import { Command } from 'commander';
import { CannotEnrol } from './enrol/cannot-enrol.js';
import { SmokeFailed } from './smoke/smoke-failed.js';

/** Each is loaded when it is asked for: a client of the API needs neither Nest nor a database driver. */
const COMMANDS: Readonly<Record<string, () => Promise<{ readonly command: Command }>>> = {
  migrate: () => import('./migrate.command.js'),
  clients: () => import('./clients.command.js'),
  enrol: () => import('./enrol/enrol.command.js'),
  smoke: () => import('./smoke.command.js'),
};

const program = new Command('velum').description('Administers a Velum installation.');
const named = COMMANDS[process.argv[2] ?? ''];
for (const load of named === undefined ? Object.values(COMMANDS) : [named]) {
  program.addCommand((await load()).command);
}

try {
  await program.parseAsync();
} catch (error) {
  const known =
    error instanceof ConfigurationError ||
    error instanceof DomainError ||
    error instanceof CannotEnrol ||
    error instanceof SmokeFailed;
  const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
  console.error(known ? error.message : `That failed${code}. Is the database up, and has it been migrated?`);
  process.exitCode = 1;
}
