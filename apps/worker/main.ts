import { ConfigurationError, loadWorkerConfig } from '#platform/config';
import { leaveNoCoreDump } from '#platform/hardening';
import { serveInternally } from '#platform/internal-server';
import { createAppLogger } from '#platform/logging';
import { ALIVE } from '#platform/readiness';
import { Scrape } from '#platform/scrape';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { yieldToRequests } from './process-priority.js';
import { WorkerHealth } from './worker-health.js';
import { WorkerModule } from './worker.module.js';

const METRICS_PORT = 9465;

try {
  leaveNoCoreDump();
  const config = loadWorkerConfig();
  yieldToRequests(config.workerNice);
  const app = await NestFactory.createApplicationContext(WorkerModule.forRoot(config), {
    logger: createAppLogger(config.logLevel),
    abortOnError: false,
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    // BullMQ's workers finish the job in hand before they close.
    process.once(signal, () => void app.close().then(() => process.exit(0)));
  }
  const [scrape, health] = [app.get(Scrape, { strict: false }), app.get(WorkerHealth)];
  scrape.watchProcess();
  const internalUrl = await serveInternally(config, METRICS_PORT, {
    '/metrics': () => scrape.page(),
    '/health': async () => ALIVE,
    '/health/ready': () => health.ready(),
  });
  new Logger('worker').log({ message: 'working', internalUrl });
} catch (error) {
  const reason =
    error instanceof ConfigurationError ? error.message : 'Velum cannot start: is the database up?';
  process.stderr.write(`${reason}\n`);
  process.exit(1);
}
