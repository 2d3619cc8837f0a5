import { Command } from 'commander';
import { identityOption } from './identity-option.js';
import { restore, type RestoreOptions } from './restore.js';

export const command = new Command('restore-drill')
  .description('restore a backup into a database of its own, check it, tell, and drop it')
  .argument('[backup]', 'an id, or latest', 'latest')
  .option('--into <url>', 'of any database of the server to use, as its owner (MIGRATION_DATABASE_URL)')
  .addOption(identityOption())
  .option('--json', 'print JSON')
  .action(async (wanted: string, options: RestoreOptions) => {
    await restore(wanted, options, true);
  });
