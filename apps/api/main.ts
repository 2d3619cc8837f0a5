import { ConfigurationError, loadConfig } from '#platform/config';
import { leaveNoCoreDump } from '#platform/hardening';
import { serveInternally } from '#platform/internal-server';
import { Scrape } from '#platform/scrape';
import { Logger } from '@nestjs/common';
import { createApp } from './create-app.js';
import { drainOnSignal } from './drain.js';

const METRICS_PORT = 9464;

try {
  leaveNoCoreDump();
  const config = loadConfig();
  const app = await createApp(config);
  await app.listen(config.port, config.host);
  drainOnSignal(app, app.getHttpServer());
  const scrape = app.get(Scrape, { strict: false });
  scrape.watchProcess();
  const internalUrl = await serveInternally(config, METRICS_PORT, { '/metrics': () => scrape.page() });
  const url = (await app.getUrl()).replace('[::1]', '127.0.0.1');
  new Logger('api').log({ message: 'listening', url, internalUrl });
} catch (error) {
  // A ConfigurationError names what is missing and shows no value; of anything else only the kind is safe to print.
  const reason = error instanceof ConfigurationError ? error.message : `Velum cannot start: ${nameOf(error)}`;
  process.stderr.write(`${reason}\n`);
  process.exit(1);
}

function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return 'an unknown error';
  const code = 'code' in error ? ` ${String(error.code)}` : '';
  return `${error.name}${code}\n${(error.stack ?? '').split('\n').slice(1, 4).join('\n')}`;
}
