import type { OfficerId, ProposalId } from '#platform/ids';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { ProposalNotFound } from './approvals.errors.js';
import { PROPOSAL, type ProposalRow } from './internal/proposal-ledger.js';
import { type ProposalState, proposalState } from './internal/proposal-state.js';

export interface ProposalView {
  readonly id: ProposalId;
  readonly kind: string;
  readonly payload: object;
  readonly state: ProposalState;
  readonly proposedBy: OfficerId;
  readonly proposedAt: Date;
  readonly expiresAt: Date;
  readonly decidedBy: OfficerId | null;
  readonly decidedAt: Date | null;
}

export class FindProposal extends Query<ProposalView> {
  constructor(readonly proposalId: ProposalId) {
    super();
  }
}

@QueryHandler(FindProposal)
export class FindProposalHandler implements IQueryHandler<FindProposal> {
  constructor(private readonly db: DataSource) {}

  async execute({ proposalId }: FindProposal): Promise<ProposalView> {
    const [row] = await this.db.query<ProposalRow[]>(`${PROPOSAL} WHERE id = $1`, [proposalId]);
    if (row === undefined) throw new ProposalNotFound();
    return showProposal(row);
  }
}

export function showProposal({ id, kind, payload, state, now, ...row }: ProposalRow): ProposalView {
  return {
    id,
    kind,
    payload,
    state: proposalState({ state, expiresAt: row.expires_at }, now),
    proposedBy: row.proposed_by,
    proposedAt: row.proposed_at,
    expiresAt: row.expires_at,
    decidedBy: row.decided_by,
    decidedAt: row.decided_at,
  };
}
