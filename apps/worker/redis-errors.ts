import { MESSAGES, JOBS, RECURRING, WEBHOOKS } from '#platform/queues';
import { isUnreachable } from '#platform/unreachable';
import { InjectQueue } from '@nestjs/bullmq';
import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import type { Queue } from 'bullmq';

const SILENCE_MS = 10_000;

/**
 * What connections of BullMQ say without a listener goes to the console as it is, addresses included, and again with each
 * attempt. /health/ready tells whether Redis is there; the log tells it once in a while.
 */
@Injectable()
export class RedisErrors implements OnModuleInit {
  private readonly logger = new Logger('redis');
  private readonly queues: readonly Queue[];
  private quietUntil = 0;

  constructor(
    @InjectQueue(MESSAGES) messages: Queue,
    @InjectQueue(RECURRING) recurring: Queue,
    @InjectQueue(JOBS) jobs: Queue,
    @InjectQueue(WEBHOOKS) webhooks: Queue,
  ) {
    this.queues = [messages, recurring, jobs, webhooks];
  }

  onModuleInit(): void {
    for (const queue of this.queues) queue.on('error', (error) => this.note(error));
  }

  note(error: Error): void {
    if (Date.now() < this.quietUntil) return;
    this.quietUntil = Date.now() + SILENCE_MS;
    const message = isUnreachable(error) ? 'Redis cannot be reached' : 'the queues report an error';
    this.logger.warn({ message, errorName: error.name, errorCode: 'code' in error ? error.code : undefined });
  }
}
