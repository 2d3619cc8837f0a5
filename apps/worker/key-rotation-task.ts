import { RotateKeySets } from '#biometrics/rotate-key-sets';
import { RepeatedTask } from '#platform/repeated-task';
import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';

const PERIOD_MS = 5_000;

/** Puts galleries under new keys that somebody asked them for. */
@Injectable()
export class KeyRotationTask implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly stopping = new AbortController();
  private readonly task: RepeatedTask;

  constructor(commands: CommandBus) {
    this.task = new RepeatedTask('key-rotations', PERIOD_MS, () =>
      commands.execute(new RotateKeySets(this.stopping.signal)),
    );
  }

  onApplicationBootstrap(): void {
    this.task.start();
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    await this.task.stop();
  }
}
