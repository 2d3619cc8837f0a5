import { FindKeyUse } from '#rotation/find-key-use';
import { RotationModule } from '#rotation/rotation.module';
import { RotateStatementKey } from '#statements/rotate-statement-key';
import { StatementsModule } from '#statements/statements.module';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Command } from 'commander';
import { inApp } from './in-app.js';

interface Options {
  readonly json?: boolean;
  readonly requireCurrent?: boolean;
}

export const command = new Command('keys').description(
  'the keys of db_encryption_key and custody_encryption_key, and those that sign statements',
);

command
  .command('status')
  .description('how many values are under which key; worker and custodian put all under the first')
  .option('--json', 'print JSON')
  .option('--require-current', 'exit code 2 while anything is under another key than the first')
  .action(async ({ json, requireCurrent }: Options) => {
    const use = await inApp((app) => app.get(QueryBus).execute(new FindKeyUse()), [RotationModule]);
    if (json === true) console.log(JSON.stringify(use));
    else {
      console.log(`Encrypts: ${use.current}; in the secret: ${use.known.join(', ')}`);
      for (const { name, keyId, values } of use.counts) console.log(`${name.padEnd(24)} ${keyId} ${values}`);
      console.log(`Under another key than ${use.current}: ${use.left}`);
      const { current, left } = use.custody;
      if (current !== undefined) console.log(`Under another key than ${current}: ${left}`);
    }
    if (requireCurrent === true && use.left + use.custody.left > 0) process.exitCode = 2;
  });

command
  .command('rotate-statements')
  .description('sign receipts and other statements with a new key; what the old one signed stays verifiable')
  .action(async () => {
    const kid = await inApp(
      (app) => app.get(CommandBus).execute(new RotateStatementKey()),
      [StatementsModule],
    );
    console.log(`Signs from now on: ${kid}`);
  });
