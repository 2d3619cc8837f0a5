import type { INestApplication } from '@nestjs/common';
import { Logger } from '@nestjs/common';
import { Server } from 'node:http';
import { OpenStreams } from './request/open-streams.js';

const IDLE_CHECK_MS = 50;
const LONGEST_DRAIN_MS = 30_000;

/**
 * Ends the process when it is told to, after what is in flight was answered. Keep-alive connections are told to close
 * with their next answer and are closed when idle; Nest's own hooks would either cut requests off or wait for ever.
 */
export function drainOnSignal(app: INestApplication, server: unknown): void {
  if (!(server instanceof Server)) throw new TypeError('the app has no HTTP server');
  const logger = new Logger('shutdown');
  let draining = false;
  server.prependListener('request', (_request, response) => {
    if (draining) response.setHeader('Connection', 'close');
  });
  const drain = async (signal: NodeJS.Signals): Promise<void> => {
    if (draining) return;
    draining = true;
    app.get(OpenStreams).end();
    logger.log({ message: 'draining', signal });
    const sweep = setInterval(() => server.closeIdleConnections(), IDLE_CHECK_MS);
    const limit = setTimeout(() => server.closeAllConnections(), LONGEST_DRAIN_MS);
    await new Promise<void>((resolve) => server.close(() => resolve()));
    clearInterval(sweep);
    clearTimeout(limit);
    await app.close();
    logger.log({ message: 'stopped' });
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void drain(signal));
}
