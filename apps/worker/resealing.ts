import { RepeatedTask } from '#platform/repeated-task';
import { ResealValues } from '#rotation/reseal-values';
import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';

const PERIOD_MS = 5_000;

/** While db_encryption_key holds an old key, puts what is under it under the new one. */
@Injectable()
export class Resealing implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly task: RepeatedTask;

  constructor(commands: CommandBus) {
    this.task = new RepeatedTask('resealing', PERIOD_MS, async () => {
      await commands.execute(new ResealValues());
    });
  }

  onApplicationBootstrap(): void {
    this.task.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.task.stop();
  }
}
