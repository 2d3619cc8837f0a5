import { migrate } from '#platform/data-source';
import { Command } from 'commander';

export const command = new Command('migrate')
  .description('bring the database to this version (as the owner: MIGRATION_DATABASE_URL)')
  .action(async () => {
    const applied = await migrate();
    console.log(applied.length === 0 ? 'The database is up to date.' : `Applied: ${applied.join(', ')}`);
  });
