import { EraseSubject } from '#biometrics/erase-subject';
import { SubjectNotFound } from '#consent/consent.errors';
import type { ClientId, SubjectId } from '#platform/ids';
import { Command, CommandBus, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';

/** Erases whom a case says to; whom somebody has erased already, no more. */
export class EraseGranted extends Command<void> {
  constructor(
    readonly clientId: ClientId,
    readonly subjectId: SubjectId,
  ) {
    super();
  }
}

@CommandHandler(EraseGranted)
export class EraseGrantedHandler implements ICommandHandler<EraseGranted> {
  constructor(private readonly commands: CommandBus) {}

  async execute({ clientId, subjectId }: EraseGranted): Promise<void> {
    try {
      await this.commands.execute(new EraseSubject(clientId, subjectId, new Date(), true));
    } catch (error) {
      if (!(error instanceof SubjectNotFound)) throw error;
    }
  }
}
