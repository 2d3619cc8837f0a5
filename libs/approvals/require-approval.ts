import { type AuditEventInput, AuditLog } from '#audit/audit-log';
import { OfficerDirectory } from '#officers/officer-directory';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { ApprovalRequired } from './approvals.errors.js';
import { ProposalKinds } from './proposal-kinds.js';

/** Refuses a client what two officers are there to decide; where there are not two, a client decides as ever. */
export class RequireApproval extends Command<void> {
  constructor(
    readonly kind: string,
    readonly event: Omit<AuditEventInput, 'outcome' | 'code'>,
  ) {
    super();
  }
}

@CommandHandler(RequireApproval)
export class RequireApprovalHandler implements ICommandHandler<RequireApproval> {
  constructor(
    private readonly db: DataSource,
    private readonly kinds: ProposalKinds,
    private readonly officers: OfficerDirectory,
    private readonly audit: AuditLog,
  ) {}

  execute({ kind, event }: RequireApproval): Promise<void> {
    return this.audit.recordingRefusals(event, async () => {
      const scopes = this.kinds.get(kind)?.scopes ?? [];
      if (await this.officers.hasTwoAllowed(this.db.manager, scopes)) throw new ApprovalRequired();
    });
  }
}
