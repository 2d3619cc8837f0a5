import { EraseUnconsented } from '#biometrics/erase-unconsented';
import { DestructionLedger } from '#consent/destruction-ledger';
import type { ConsentId } from '#platform/ids';
import { Command, CommandBus, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { EntityManager } from 'typeorm';

/**
 * Gives what was made under an ended consent its date, or destroys it now where nothing keeps it. Answers how many
 * templates left their galleries. Runs in the caller's transaction.
 */
export class ScheduleDestruction extends Command<number> {
  constructor(
    readonly tx: EntityManager,
    readonly consentId: ConsentId,
    /** When the consent ended, if the row does not tell. */
    readonly endedAt?: Date,
  ) {
    super();
  }
}

@CommandHandler(ScheduleDestruction)
export class ScheduleDestructionHandler implements ICommandHandler<ScheduleDestruction> {
  constructor(
    private readonly commands: CommandBus,
    private readonly destructions: DestructionLedger,
  ) {}

  async execute({ tx, consentId, endedAt }: ScheduleDestruction): Promise<number> {
    const held = await this.destructions.ofConsent(tx, consentId, endedAt);
    return this.commands.execute(new EraseUnconsented(tx, consentId, held?.id));
  }
}
