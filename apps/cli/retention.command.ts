import { BiometricsModule } from '#biometrics/biometrics.module';
import { CustodyModule } from '#custody/custody.module';
import { loadWorkerConfig } from '#platform/config';
import { ApplyRetention } from '#retention/apply-retention';
import { type DueView, ListDue } from '#retention/list-due';
import { RetentionModule } from '#retention/retention.module';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Command } from 'commander';
import { inApp } from './in-app.js';

const AT_ONCE = 100;

export const command = new Command('retention').description(
  'what the law keeps for a time, and then destroys',
);

command
  .command('run')
  .description('destroy what is due, as the worker does each minute')
  .option('--dry-run', 'print what would be destroyed, one JSON object a line, and destroy nothing')
  .action(async ({ dryRun }: { dryRun?: boolean }) => {
    if (dryRun === true) {
      await inApp(async (app) => print(app.get(QueryBus)), [RetentionModule]);
      return;
    }
    const config = loadWorkerConfig();
    const destroyed = await inApp(
      (app) => app.get(CommandBus).execute(new ApplyRetention()),
      [CustodyModule.forRoot(config), BiometricsModule, RetentionModule],
      config,
    );
    console.log(`Destroyed: ${destroyed}`);
  });

async function print(queries: QueryBus): Promise<void> {
  const now = new Date();
  for (let cursor: string | null | undefined; cursor !== null;) {
    const page: { items: readonly DueView[]; nextCursor: string | null } = await queries.execute(
      new ListDue(now, { limit: AT_ONCE, ...(cursor === undefined ? {} : { cursor }) }),
    );
    for (const due of page.items) console.log(JSON.stringify(due));
    cursor = page.nextCursor;
  }
}
