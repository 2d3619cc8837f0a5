import { DestroyKeySets } from '#biometrics/destroy-key-sets';
import { RetireSlots } from '#biometrics/retire-slots';
import { RepeatedTask } from '#platform/repeated-task';
import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';

const PAUSE_MS = 1_000;

/** What was erased or destroyed in a transaction, the custodian is told until it has done its part. */
@Injectable()
export class CustodyRelay implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly tasks: readonly RepeatedTask[];

  constructor(commands: CommandBus) {
    this.tasks = [
      new RepeatedTask('retire-slots', PAUSE_MS, async () => {
        await commands.execute(new RetireSlots());
      }),
      new RepeatedTask('destroy-key-sets', PAUSE_MS, async () => {
        await commands.execute(new DestroyKeySets());
      }),
    ];
  }

  onApplicationBootstrap(): void {
    for (const task of this.tasks) task.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all(this.tasks.map((task) => task.stop()));
  }
}
