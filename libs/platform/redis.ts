import { Redis, type RedisOptions } from 'ioredis';
import { readFileSync } from 'node:fs';
import type { Config } from './config.js';

export type RedisServer = Pick<Config, 'redisUrl' | 'redisCaFile'> &
  Partial<Pick<Config, 'redisPasswordFile'>>;

/** For who makes its own connections, such as BullMQ; where the URL says rediss:, the server's certificate is checked. */
export function redisTls({ redisCaFile }: RedisServer): Pick<RedisOptions, 'tls'> {
  return redisCaFile === undefined ? {} : { tls: { ca: readFileSync(redisCaFile, 'utf8') } };
}

/** Waits, and reads the password and who signs Redis's certificate again: both may have been replaced since the last connection. */
export function retrying({ redisPasswordFile, redisCaFile }: RedisServer): {
  retryStrategy: (attempt: number) => number;
} {
  return {
    retryStrategy(this: RedisOptions | undefined, attempt) {
      // ioredis calls it as a method of its own options, which it reads for each connection.
      if (this !== undefined && redisPasswordFile !== undefined) {
        this.password = textOf(redisPasswordFile) || this.password;
      }
      if (this !== undefined && redisCaFile !== undefined) {
        this.tls = { ...this.tls, ca: textOf(redisCaFile) || this.tls?.ca };
      }
      return Math.min(100 * attempt, 1_000);
    },
  };
}

/** Empty while it is being written. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}

/**
 * For requests: a command fails within ten seconds, which a machine at its limit may take, instead of waiting for Redis to come
 * back, so that a check that cannot be made is a refusal and not a hang.
 */
export function connectRedis(server: RedisServer): Redis {
  const redis = new Redis(server.redisUrl, {
    ...redisTls(server),
    maxRetriesPerRequest: 1,
    enableOfflineQueue: true,
    // Commands of requests that are served at the same moment go in one write.
    enableAutoPipelining: true,
    commandTimeout: 10_000,
    connectTimeout: 10_000,
    ...retrying(server),
  });
  // Without a listener ioredis prints the connection error, address included; /health/ready reports it instead.
  redis.on('error', () => undefined);
  return redis;
}
