import { CreateClient } from '#auth/create-client';
import { DisableClient } from '#auth/disable-client';
import { CommandBus } from '@nestjs/cqrs';
import { Command } from 'commander';
import { inApp } from './in-app.js';
import { runMainJob } from './smoke/main-job.js';

const SCOPES = [
  'consent:write',
  'faces:enrol',
  'faces:verify',
  'faces:identify',
  'faces:erase',
  'galleries:write',
] as const;

export const command = new Command('smoke')
  .description(
    'do the main job with a synthetic face through an API, as a client made for it, and erase it again',
  )
  .requiredOption('--url <url>', 'of the API')
  .action(async ({ url }: { url: string }) => {
    await inApp(async (app) => {
      const commands = app.get(CommandBus);
      const credentials = await commands.execute(new CreateClient('smoke test', SCOPES));
      try {
        await runMainJob(url, credentials, (step, ms) => console.log(`${step.padEnd(28)} ${ms} ms`));
      } finally {
        await commands.execute(new DisableClient(credentials.clientId));
      }
    });
  });
