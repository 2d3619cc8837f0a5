import { publishBuiltIn } from '#policy/publish-built-in';
import { runsInProduction } from '#platform/config';
import { migrate } from '#platform/migrate';
import { RETIRED } from '#platform/migrations/retired';
import { Command } from 'commander';

interface Options {
  readonly retired?: boolean;
  readonly unused: string;
  readonly nothingRuns?: boolean;
}

export const command = new Command('migrate')
  .description(
    'bring the database to this version (as the owner: MIGRATION_DATABASE_URL); in production what would break the ' +
      'version that is running is refused with exit code 3, and nothing is changed',
  )
  .option('--retired', 'only print what this version has in its database and does not use')
  .option('--unused <names>', 'what the running version prints with --retired, parted by commas', '')
  .option('--nothing-runs', 'neither API nor worker works with this database: check nothing')
  .action(async ({ retired, unused, nothingRuns }: Options) => {
    if (retired === true) {
      console.log(RETIRED.join(','));
      return;
    }
    const applied = await migrate(undefined, {
      serving: runsInProduction() && nothingRuns !== true,
      unused: unused.split(',').filter((name) => name !== ''),
    });
    const published = await publishBuiltIn();
    if (published.length > 0) console.log(`Policies in force: ${published.join(', ')}`);
    console.log(applied.length === 0 ? 'The database is up to date.' : `Applied: ${applied.join(', ')}`);
  });
