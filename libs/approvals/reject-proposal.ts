import { AuditLog } from '#audit/audit-log';
import type { OfficerId, ProposalId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { ProposalLedger } from './internal/proposal-ledger.js';

/** The second officer does not agree. */
export class RejectProposal extends Command<void> {
  constructor(
    readonly officerId: OfficerId,
    readonly proposalId: ProposalId,
  ) {
    super();
  }
}

@CommandHandler(RejectProposal)
export class RejectProposalHandler implements ICommandHandler<RejectProposal> {
  constructor(
    private readonly db: DataSource,
    private readonly ledger: ProposalLedger,
    private readonly audit: AuditLog,
  ) {}

  execute({ officerId, proposalId }: RejectProposal): Promise<void> {
    const event = { type: 'proposal.rejected', details: { proposalId } } as const;
    return this.audit.recordingRefusals(event, () =>
      this.db.transaction(async (tx) => {
        const { proposal } = await this.ledger.close(tx, proposalId, 'rejected', officerId);
        const details = { proposalId, kind: proposal.kind, proposedBy: proposal.proposed_by };
        await this.audit.append(tx, { type: 'proposal.rejected', outcome: 'ok', details });
      }),
    );
  }
}
