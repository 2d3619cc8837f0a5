import { KeyCustodian } from '#custody/key-custodian';
import { ConfigurationError, loadCustodianConfig } from '#platform/config';
import { leaveNoCoreDump } from '#platform/hardening';
import { serveInternally } from '#platform/internal-server';
import { createAppLogger } from '#platform/logging';
import { ALIVE, readiness } from '#platform/readiness';
import { Scrape } from '#platform/scrape';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CallServer } from './call-server.js';
import { CustodianModule } from './custodian.module.js';

const METRICS_PORT = 9467;

try {
  leaveNoCoreDump();
  const config = loadCustodianConfig();
  const app = await NestFactory.createApplicationContext(CustodianModule.forRoot(config), {
    logger: createAppLogger(config.logLevel),
    abortOnError: false,
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => void app.close().then(() => process.exit(0)));
  }
  const port = await app.get(CallServer).listen(config.port, config.host);
  const [scrape, custodian] = [app.get(Scrape, { strict: false }), app.get(KeyCustodian, { strict: false })];
  scrape.watchProcess();
  const internalUrl = await serveInternally(config, METRICS_PORT, {
    '/metrics': () => scrape.page(),
    '/health': async () => ALIVE,
    // The port that callers reach wants a certificate.
    '/health/ready': () => readiness({ engine: custodian.ready() }),
  });
  const url = `https://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`;
  new Logger('custodian').log({ message: 'listening', url, internalUrl });
} catch (error) {
  const reason =
    error instanceof ConfigurationError ? error.message : 'Velum cannot start: is the database up?';
  process.stderr.write(`${reason}\n`);
  process.exit(1);
}
