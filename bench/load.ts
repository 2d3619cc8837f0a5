import { Agent, request as send } from 'node:http';

export interface Call {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

/** Milliseconds of each request, and requests a second where several are under way. */
export interface Load {
  readonly p50: number;
  readonly p99: number;
  readonly perSecond: number;
}

const CONNECTIONS = 16;

/**
 * `single` requests one after the other, for the latencies, then `many` on 16 connections, for the rate.
 * `next` words request number i.
 */
export async function measure(
  url: string,
  single: number,
  many: number,
  next: (i: number) => Call,
): Promise<Load> {
  const one = new Agent({ keepAlive: true, maxSockets: 1 });
  const latencies: number[] = [];
  for (let i = 0; i < single; i++) latencies.push(await timed(one, url, next(i)));
  one.destroy();
  const pool = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  let sent = 0;
  const started = performance.now();
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      while (sent < many) await timed(pool, url, next(sent++));
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  pool.destroy();
  return { p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99), perSecond: many / seconds };
}

/** By rank, without interpolation. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The median of each figure over several rounds. */
export function medianOf(rounds: readonly Load[]): Load {
  return {
    p50: median(rounds.map(({ p50 }) => p50)),
    p99: median(rounds.map(({ p99 }) => p99)),
    perSecond: median(rounds.map(({ perSecond }) => perSecond)),
  };
}

/** Milliseconds until the whole answer is there; an answer that is no success ends the bench. */
function timed(agent: Agent, url: string, { method, path, headers, body }: Call): Promise<number> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const request = send(`${url}${path}`, { agent, method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => (text += part));
      response.on('end', () => {
        if ((response.statusCode ?? 500) < 300) resolve(performance.now() - started);
        else reject(new Error(`${method} ${path} answered ${response.statusCode}: ${text}`));
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}
