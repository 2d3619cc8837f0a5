import { Command } from 'commander';
import { identityOption } from './identity-option.js';
import { restore, type RestoreOptions } from './restore.js';

export const command = new Command('restore')
  .description('bring a database back, without what was erased since (stop the API and the workers first)')
  .argument('<backup>', 'an id, or latest')
  .option('--into <url>', 'of the database, as its owner, who may create databases (MIGRATION_DATABASE_URL)')
  .option('--force', 'replace a database that is not empty: it is kept under another name')
  .addOption(identityOption())
  .option('--json', 'print JSON')
  .action(async (wanted: string, options: RestoreOptions) => {
    await restore(wanted, options, false);
  });
