import type { Config } from '#platform/config';
import { CONFIG } from '#platform/platform.module';
import { Module } from '@nestjs/common';
import { ThrottlerModule } from '@nestjs/throttler';
import { Redis } from 'ioredis';
import { RedisThrottlerStorage } from './redis-throttler-storage.js';

const MINUTE = 60_000;

@Module({
  imports: [
    ThrottlerModule.forRootAsync({
      inject: [CONFIG, Redis],
      useFactory: (config: Config, redis: Redis) => ({
        throttlers: [
          { name: 'address', ttl: MINUTE, limit: config.ipRequestsPerMinute },
          { name: 'client', ttl: MINUTE, limit: config.clientRequestsPerMinute },
        ],
        storage: new RedisThrottlerStorage(redis),
      }),
    }),
  ],
  exports: [ThrottlerModule],
})
export class RateLimitModule {}
