import { KeyCustodian } from '#custody/key-custodian';
import { ConfigurationError, loadCustodianConfig } from '#platform/config';
import { leaveNoCoreDump } from '#platform/hardening';
import { serveInternally } from '#platform/internal-server';
import { createAppLogger } from '#platform/logging';
import { ALIVE, readiness } from '#platform/readiness';
import { Scrape } from '#platform/scrape';
import { wipeSockets } from '#platform/wiped-sockets';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Server } from 'node:https';
import { CustodianModule } from './custodian.module.js';
import { renewTls, serverTls } from './server-tls.js';

const METRICS_PORT = 9467;

/** Longer than callers pause, so that most calls find a connection. */
const KEEP_ALIVE_MS = 65_000;

/** A search's scores come for as long as it takes to match them; CallsController sees to those who send nothing. */
const SLOW_REQUESTS = { requestTimeout: 0 };

try {
  leaveNoCoreDump();
  const config = loadCustodianConfig();
  const app = await NestFactory.create<NestExpressApplication<Server>>(CustodianModule.forRoot(config), {
    httpsOptions: { ...serverTls(config.tls), ...SLOW_REQUESTS },
    bodyParser: false,
    logger: createAppLogger(config.logLevel),
    abortOnError: false,
  });
  app.disable('x-powered-by');
  const server = app.getHttpServer();
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  wipeSockets(server);
  renewTls(server, config.tls);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => void app.close().then(() => process.exit(0)));
  }
  await app.listen(config.port, config.host);
  const [scrape, custodian] = [app.get(Scrape, { strict: false }), app.get(KeyCustodian, { strict: false })];
  scrape.watchProcess();
  const internalUrl = await serveInternally(config, METRICS_PORT, {
    '/metrics': () => scrape.page(),
    '/health': async () => ALIVE,
    // The port that callers reach wants a certificate.
    '/health/ready': () => readiness({ engine: custodian.ready() }),
  });
  const url = (await app.getUrl()).replace('[::1]', '127.0.0.1');
  new Logger('custodian').log({ message: 'listening', url, internalUrl });
} catch (error) {
  const reason =
    error instanceof ConfigurationError ? error.message : 'Velum cannot start: is the database up?';
  process.stderr.write(`${reason}\n`);
  process.exit(1);
}
