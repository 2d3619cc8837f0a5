import { ShipErasures } from '#backup/ship-erasures';
import type { Config } from '#platform/config';
import { CONFIG } from '#platform/platform.module';
import { RepeatedTask } from '#platform/repeated-task';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';

/** Ships what was erased to where the backups are: a restore of an older one erases it again. */
@Injectable()
export class ErasureRelay implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly task: RepeatedTask | undefined;

  constructor(commands: CommandBus, @Inject(CONFIG) { backup }: Config) {
    if (backup === undefined) return;
    this.task = new RepeatedTask('erasures', backup.journalSeconds * 1_000, async () => {
      await commands.execute(new ShipErasures());
    });
  }

  onApplicationBootstrap(): void {
    this.task?.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.task?.stop();
  }
}
