import { OnWorkerEvent, WorkerHost } from '@nestjs/bullmq';
import { type BeforeApplicationShutdown, Inject } from '@nestjs/common';
import { RedisErrors } from './redis-errors.js';

/** What is in hand ends before anything that it needs is closed, in whatever order Nest closes modules. */
export abstract class DrainingWorkerHost extends WorkerHost implements BeforeApplicationShutdown {
  @Inject(RedisErrors)
  private readonly errors: RedisErrors;

  async beforeApplicationShutdown(): Promise<void> {
    await this.worker.close();
  }

  @OnWorkerEvent('error')
  noteError(error: Error): void {
    this.errors.note(error);
  }
}
