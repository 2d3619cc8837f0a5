import { DependencyUnavailable } from '#platform/platform.errors';
import { Injectable } from '@nestjs/common';
import type { ThrottlerStorage } from '@nestjs/throttler';
import { Redis } from 'ioredis';

/** One step, so that a counter can never be left without its expiry. Answers the count and the milliseconds left. */
const COUNT = `
local hits = redis.call('INCR', KEYS[1])
if hits == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return { hits, redis.call('PTTL', KEYS[1]) }`;

type ThrottlerRecord = Awaited<ReturnType<ThrottlerStorage['increment']>>;

/** Counters shared by all replicas. If Redis cannot be reached the call is refused: closed, not open. */
@Injectable()
export class RedisThrottlerStorage implements ThrottlerStorage {
  constructor(private readonly redis: Redis) {}

  async increment(key: string, ttl: number, limit: number): Promise<ThrottlerRecord> {
    const [hits, left] = await this.count(`limit:${key}`, ttl);
    const seconds = Math.ceil(left / 1_000);
    return {
      totalHits: hits,
      timeToExpire: seconds,
      isBlocked: hits > limit,
      timeToBlockExpire: hits > limit ? seconds : 0,
    };
  }

  private async count(key: string, ttl: number): Promise<[number, number]> {
    const answer: unknown = await this.redis.eval(COUNT, 1, key, ttl).catch((error: unknown) => {
      throw DependencyUnavailable.of('redis', error);
    });
    if (!Array.isArray(answer)) throw DependencyUnavailable.of('redis', answer);
    return [Number(answer[0]), Number(answer[1])];
  }
}
