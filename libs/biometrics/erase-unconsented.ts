import type { ConsentId, DestructionId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { EntityManager } from 'typeorm';
import { TemplateErasure } from './internal/template-erasure.js';

/**
 * Erases what was sealed under a consent that has ended, or holds it until its destruction; answers how many. Runs in the
 * caller's transaction.
 */
export class EraseUnconsented extends Command<number> {
  constructor(
    readonly tx: EntityManager,
    readonly consentId: ConsentId,
    readonly heldUnder?: DestructionId,
  ) {
    super();
  }
}

@CommandHandler(EraseUnconsented)
export class EraseUnconsentedHandler implements ICommandHandler<EraseUnconsented> {
  constructor(private readonly erasure: TemplateErasure) {}

  execute({ tx, consentId, heldUnder }: EraseUnconsented): Promise<number> {
    return this.erasure.erase(tx, { consentId }, 'consent_ended', heldUnder);
  }
}
