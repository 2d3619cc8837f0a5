import { AuditModule } from '#audit/audit.module';
import { OfficersModule } from '#officers/officers.module';
import { Module } from '@nestjs/common';
import { ApproveProposalHandler } from './approve-proposal.js';
import { FindProposalHandler } from './find-proposal.js';
import { ProposalLedger } from './internal/proposal-ledger.js';
import { ListProposalsHandler } from './list-proposals.js';
import { MakeProposalHandler } from './make-proposal.js';
import { ProposalKinds } from './proposal-kinds.js';
import { RejectProposalHandler } from './reject-proposal.js';
import { RequireApprovalHandler } from './require-approval.js';
import { WithdrawProposalHandler } from './withdraw-proposal.js';

@Module({
  imports: [AuditModule, OfficersModule],
  providers: [
    ApproveProposalHandler,
    FindProposalHandler,
    ListProposalsHandler,
    MakeProposalHandler,
    ProposalKinds,
    ProposalLedger,
    RejectProposalHandler,
    RequireApprovalHandler,
    WithdrawProposalHandler,
  ],
  exports: [ProposalKinds],
})
export class ApprovalsModule {}
