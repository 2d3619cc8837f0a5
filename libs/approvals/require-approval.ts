import { OfficerDirectory } from '#officers/officer-directory';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { EntityManager } from 'typeorm';
import { ApprovalRequired } from './approvals.errors.js';
import { ProposalKinds } from './proposal-kinds.js';

/**
 * Refuses a client what two officers are there to decide; where there are not two, a client decides as ever. Runs in the
 * caller's transaction.
 */
export class RequireApproval extends Command<void> {
  constructor(
    readonly tx: EntityManager,
    readonly kind: string,
  ) {
    super();
  }
}

@CommandHandler(RequireApproval)
export class RequireApprovalHandler implements ICommandHandler<RequireApproval> {
  constructor(
    private readonly kinds: ProposalKinds,
    private readonly officers: OfficerDirectory,
  ) {}

  async execute({ tx, kind }: RequireApproval): Promise<void> {
    const scopes = this.kinds.get(kind)?.scopes ?? [];
    if (await this.officers.hasTwoAllowed(tx, scopes)) throw new ApprovalRequired();
  }
}
