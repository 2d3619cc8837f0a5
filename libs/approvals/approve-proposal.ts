import { AuditLog } from '#audit/audit-log';
import { DomainError } from '#platform/domain-error';
import type { OfficerId, ProposalId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { ProposalStale } from './approvals.errors.js';
import { ProposalLedger } from './internal/proposal-ledger.js';

/** The second officer agrees: it is carried out in this transaction, or the proposal stays as it was. */
export class ApproveProposal extends Command<void> {
  constructor(
    readonly officerId: OfficerId,
    readonly proposalId: ProposalId,
  ) {
    super();
  }
}

@CommandHandler(ApproveProposal)
export class ApproveProposalHandler implements ICommandHandler<ApproveProposal> {
  constructor(
    private readonly db: DataSource,
    private readonly ledger: ProposalLedger,
    private readonly audit: AuditLog,
  ) {}

  async execute({ officerId, proposalId }: ApproveProposal): Promise<void> {
    const event = { type: 'proposal.approved', details: { proposalId } } as const;
    const afterwards = await this.audit.recordingRefusals(event, () =>
      this.db.transaction(async (tx) => {
        // One at a time: of two about the same thing the second finds it changed.
        await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended('approvals', 3))`);
        const { proposal, kind } = await this.ledger.close(tx, proposalId, 'approved', officerId);
        const { kind: name, payload, proposed_by: proposedBy } = proposal;
        if ((await refusingStale(kind.basis(tx, payload))) !== proposal.basis) throw new ProposalStale();
        const details = { proposalId, kind: name, proposedBy, approvedBy: officerId };
        await this.audit.append(tx, { type: 'proposal.approved', outcome: 'ok', details });
        // Last, and nothing after it refuses: a key that is destroyed comes back with no rollback.
        await kind.carryOut(tx, payload, proposalId);
        return () => kind.afterwards?.(payload);
      }),
    );
    await afterwards();
  }
}

/** What it would change is gone, or does not permit it any more. */
async function refusingStale(basis: Promise<string>): Promise<string> {
  try {
    return await basis;
  } catch (error) {
    throw error instanceof DomainError && error.problem.status < 500 ? new ProposalStale() : error;
  }
}
