import { OfficerDirectory } from '#officers/officer-directory';
import type { Config } from '#platform/config';
import { CONFIG } from '#platform/platform.module';
import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { EntityManager } from 'typeorm';
import { ApprovalRequired } from './approvals.errors.js';
import { ProposalKinds } from './proposal-kinds.js';

/**
 * Refuses a client what two officers are there to decide; where there are not two, a client decides as ever, unless
 * officers are required. Runs in the caller's transaction.
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
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  async execute({ tx, kind }: RequireApproval): Promise<void> {
    const scopes = this.kinds.get(kind)?.scopes ?? [];
    if (this.config.requireOfficers || (await this.officers.hasTwoAllowed(tx, scopes)))
      throw new ApprovalRequired();
  }
}
