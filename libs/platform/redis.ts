import { Redis, type RedisOptions } from 'ioredis';
import type { Config } from './config.js';

export type RedisServer = Pick<Config, 'redisUrl' | 'redisCa'>;

/** For who makes its own connections, such as BullMQ; where the URL says rediss:, the server's certificate is checked. */
export function redisTls({ redisCa }: RedisServer): Pick<RedisOptions, 'tls'> {
  return redisCa === undefined ? {} : { tls: { ca: redisCa } };
}

/**
 * For requests: a command fails within a second instead of waiting for Redis to come back, so that a check that
 * cannot be made is a refusal and not a hang.
 */
export function connectRedis(server: RedisServer): Redis {
  const redis = new Redis(server.redisUrl, {
    ...redisTls(server),
    maxRetriesPerRequest: 1,
    enableOfflineQueue: true,
    // Commands of requests that are served at the same moment go in one write.
    enableAutoPipelining: true,
    commandTimeout: 1_000,
    connectTimeout: 1_000,
    retryStrategy: (attempt) => Math.min(100 * attempt, 1_000),
  });
  // Without a listener ioredis prints the connection error, address included; /health/ready reports it instead.
  redis.on('error', () => undefined);
  return redis;
}
