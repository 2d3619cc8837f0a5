import { AuditLog } from '#audit/audit-log';
import type { OfficerId, ProposalId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { ProposalLedger } from './internal/proposal-ledger.js';

/** Who proposed it thinks better of it. */
export class WithdrawProposal extends Command<void> {
  constructor(
    readonly officerId: OfficerId,
    readonly proposalId: ProposalId,
  ) {
    super();
  }
}

@CommandHandler(WithdrawProposal)
export class WithdrawProposalHandler implements ICommandHandler<WithdrawProposal> {
  constructor(
    private readonly db: DataSource,
    private readonly ledger: ProposalLedger,
    private readonly audit: AuditLog,
  ) {}

  execute({ officerId, proposalId }: WithdrawProposal): Promise<void> {
    const event = { type: 'proposal.withdrawn', details: { proposalId } } as const;
    return this.audit.recordingRefusals(event, () =>
      this.db.transaction(async (tx) => {
        const { proposal } = await this.ledger.close(tx, proposalId, 'withdrawn', officerId);
        const details = { proposalId, kind: proposal.kind, proposedBy: proposal.proposed_by };
        await this.audit.append(tx, { type: 'proposal.withdrawn', outcome: 'ok', details });
      }),
    );
  }
}
