import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Config } from './config.js';
import { CONFIG } from './platform.module.js';
import { JOBS, MESSAGES, RECURRING, WEBHOOKS } from './queues.js';
import { connectRedis } from './redis.js';
import { Scrape } from './scrape.js';

/**
 * The queues, to look at only. Workers wait for Redis as long as it takes; who looks is told within a second that it is
 * away.
 */
@Injectable()
export class QueueView implements OnModuleInit, OnApplicationShutdown {
  readonly queues: readonly Queue[];
  private readonly redis: Redis;

  constructor(
    private readonly scrape: Scrape,
    @Inject(CONFIG) config: Config,
  ) {
    this.redis = connectRedis(config);
    this.queues = [MESSAGES, RECURRING, JOBS, WEBHOOKS].map((name) => {
      const queue = new Queue(name, {
        connection: this.redis,
        skipMetasUpdate: true,
        skipVersionCheck: true,
      });
      queue.on('error', () => undefined);
      return queue;
    });
  }

  onModuleInit(): void {
    const help = 'Jobs in Redis, by the state that BullMQ has them in';
    this.scrape.source('queues', { velum_queue_jobs: { help, labels: ['queue', 'state'] } }, async () => {
      const counted = await Promise.all(
        this.queues.map(async (queue) => ({ queue: queue.name, counts: await queue.getJobCounts() })),
      );
      return counted.flatMap(({ queue, counts }) =>
        Object.entries(counts).map(([state, value]) => ({
          name: 'velum_queue_jobs' as const,
          labels: { queue, state },
          value,
        })),
      );
    });
  }

  async onApplicationShutdown(): Promise<void> {
    this.redis.disconnect();
  }
}
