import { openStore } from '#backup/open-store';
import { loadBackupEnvironment } from '#platform/config';
import { serveInternally } from '#platform/internal-server';
import { createAppLogger } from '#platform/logging';
import { Scrape } from '#platform/scrape';
import { Logger } from '@nestjs/common';
import { Command } from 'commander';
import { Schedule } from './schedule.js';

const METRICS_PORT = 9466;

/** `backup run`, and what else of `backup` there is to do each day. */
const DAILY = ['run', 'logs'];

export function scheduleCommand(backup: Command): Command {
  return new Command('schedule')
    .description(
      'stay, and make a backup each day at BACKUP_AT; /health/ready says whether the newest is young',
    )
    .action(async () => {
      const { keyring, backup: settings, logLevel, ...internal } = loadBackupEnvironment();
      Logger.overrideLogger(createAppLogger(logLevel));
      const steps = DAILY.filter((name) => backup.commands.some((command) => command.name() === name));
      const schedule = new Schedule(
        openStore(settings.target),
        keyring,
        settings.at,
        steps.map((name) => ['backup', name]),
      );
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => schedule.stop());
      const scrape = new Scrape();
      scrape.source(
        'backup',
        { velum_backup_newest_age_seconds: { help: 'Age of the newest backup; absent while none is known' } },
        async () => schedule.newestAge(),
      );
      const internalUrl = await serveInternally(internal, METRICS_PORT, {
        '/metrics': () => scrape.page(),
        '/health/ready': () => schedule.health(),
      });
      new Logger('backup').log({ message: 'working', internalUrl });
      await schedule.run();
    });
}
