import { Cursors, type Page, type PageRequest } from '#platform/page';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { type ProposalView, showProposal } from './find-proposal.js';
import { PROPOSAL, type ProposalRow } from './internal/proposal-ledger.js';

/** Newest first, decided and expired ones included. */
export class ListProposals extends Query<Page<ProposalView>> {
  constructor(readonly page: PageRequest) {
    super();
  }
}

@QueryHandler(ListProposals)
export class ListProposalsHandler implements IQueryHandler<ListProposals> {
  constructor(
    private readonly db: DataSource,
    private readonly cursors: Cursors,
  ) {}

  async execute({ page }: ListProposals): Promise<Page<ProposalView>> {
    const before = page.cursor === undefined ? null : this.cursors.decode('proposals', page.cursor);
    const rows = await this.db.query<ProposalRow[]>(
      `${PROPOSAL} WHERE $1::uuid IS NULL OR id < $1 ORDER BY id DESC LIMIT $2`,
      [before, page.limit + 1],
    );
    return this.cursors.page('proposals', page, rows, showProposal);
  }
}
