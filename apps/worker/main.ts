import { ConfigurationError, loadConfig } from '#platform/config';
import { createAppLogger } from '#platform/logging';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { yieldToRequests } from './process-priority.js';
import { WorkerModule } from './worker.module.js';

try {
  const config = loadConfig();
  yieldToRequests(config.workerNice);
  const app = await NestFactory.createApplicationContext(WorkerModule.forRoot(config), {
    logger: createAppLogger(config.logLevel),
    abortOnError: false,
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    // BullMQ's workers finish the job in hand before they close.
    process.once(signal, () => void app.close().then(() => process.exit(0)));
  }
  new Logger('worker').log({ message: 'working' });
} catch (error) {
  const reason =
    error instanceof ConfigurationError ? error.message : 'Velum cannot start: is the database up?';
  process.stderr.write(`${reason}\n`);
  process.exit(1);
}
