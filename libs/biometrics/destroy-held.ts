import type { ClientId, DestructionId, SubjectId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { EntityManager } from 'typeorm';
import { TemplateErasure } from './internal/template-erasure.js';

export interface HeldData {
  readonly id: DestructionId;
  readonly clientId: ClientId;
  readonly subjectId: SubjectId;
}

/** Destroys templates that were held until now; answers how many. Runs in the caller's transaction. */
export class DestroyHeld extends Command<number> {
  constructor(
    readonly tx: EntityManager,
    readonly held: HeldData,
    readonly reason: 'subject_erased' | 'consent_ended',
  ) {
    super();
  }
}

@CommandHandler(DestroyHeld)
export class DestroyHeldHandler implements ICommandHandler<DestroyHeld> {
  constructor(private readonly erasure: TemplateErasure) {}

  execute({ tx, held, reason }: DestroyHeld): Promise<number> {
    return this.erasure.destroyHeld(tx, held.id, held, reason);
  }
}
