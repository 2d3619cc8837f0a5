import { Redis } from 'ioredis';

/**
 * For requests: a command fails within a second instead of waiting for Redis to come back, so that a check that
 * cannot be made is a refusal and not a hang.
 */
export function connectRedis(url: string): Redis {
  const redis = new Redis(url, {
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
