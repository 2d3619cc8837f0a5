import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Config, ConfigurationError } from './config.js';

export interface InternalAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** By path; GET is the only method. */
export type InternalPages = Readonly<Record<string, () => Promise<InternalAnswer>>>;

/**
 * Serves pages for operators, never on the port that clients reach: they ask for no token. Answers the URL, or
 * undefined where METRICS_PORT turns it off. The process may end while it listens.
 */
export async function serveInternally(
  { metricsHost, metricsPort }: Pick<Config, 'metricsHost' | 'metricsPort'>,
  defaultPort: number,
  pages: InternalPages,
): Promise<string | undefined> {
  if (metricsPort === 'off') return undefined;
  const server = createServer(answering(pages));
  const { port } = await new Promise<AddressInfo>((resolve, reject) => {
    server.once('error', () =>
      reject(
        new ConfigurationError('Velum cannot start:\n  - METRICS_HOST and METRICS_PORT: cannot listen there'),
      ),
    );
    server.listen(metricsPort ?? defaultPort, metricsHost, () => {
      const address = server.address();
      if (address === null || typeof address === 'string') throw new TypeError('the server has no port');
      resolve(address);
    });
  });
  server.unref();
  return `http://${metricsHost.includes(':') ? `[${metricsHost}]` : metricsHost}:${port}`;
}

function answering(pages: InternalPages): RequestListener {
  return (request, response) => {
    const path = (request.url ?? '').replace(/\?.*$/s, '');
    const page = Object.hasOwn(pages, path) ? pages[path] : undefined;
    if (page === undefined || request.method !== 'GET') {
      response.writeHead(page === undefined ? 404 : 405).end();
      return;
    }
    page().then(
      ({ status, type, body }) => response.writeHead(status, { 'Content-Type': type }).end(body),
      () => response.writeHead(500).end(),
    );
  };
}
