import {
  AnotherOfficerRequired,
  ProposalClosed,
  ProposalNotFound,
  ProposalStale,
  ProposerRequired,
} from '#approvals/approvals.errors';
import { ApproveProposal } from '#approvals/approve-proposal';
import { FindProposal, type ProposalView } from '#approvals/find-proposal';
import { ListProposals } from '#approvals/list-proposals';
import { MakeProposal } from '#approvals/make-proposal';
import { RejectProposal } from '#approvals/reject-proposal';
import { WithdrawProposal } from '#approvals/withdraw-proposal';
import { GalleryNotFound, KeyRotationUnderWay, UnknownThreshold } from '#biometrics/biometrics.errors';
import { OfficerRequired } from '#officers/officers.errors';
import type { IdempotentRequest } from '#platform/idempotency';
import type { ProposalId } from '#platform/ids';
import type { Page } from '#platform/page';
import { IdempotencyKeyInvalid, IdempotencyKeyReused, InvalidCursor } from '#platform/platform.errors';
import { PolicyInvalid } from '#policy/policy.errors';
import { Body, Controller, Get, Param, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import { type ActingOfficer, CurrentOfficer } from '../auth/current-officer.decorator.js';
import { Operation } from '../openapi/operation.decorator.js';
import { IdPipe } from '../request/id.pipe.js';
import { ApiIdempotencyKey, IdempotencyKey } from '../request/idempotency-key.decorator.js';
import { PageQuery } from '../request/page.dto.js';
import { MakeProposalBody, ProposalPage, ProposalResponse } from './proposal.dto.js';

@ApiTags('Administration')
@Controller('v1/admin/proposals')
export class ProposalsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Post()
  @ApiIdempotencyKey()
  @Operation({
    summary: 'Propose a change that takes two officers',
    description:
      'Nothing happens until another officer approves it, within 72 hours. Destroying a gallery with its keys, or giving it new ones, takes `admin:keys` of both besides.',
    scope: 'admin:compliance',
    status: 201,
    response: { type: ProposalResponse, description: 'The proposal.' },
    problems: [
      OfficerRequired,
      GalleryNotFound,
      UnknownThreshold,
      KeyRotationUnderWay,
      PolicyInvalid,
      IdempotencyKeyReused,
      IdempotencyKeyInvalid,
    ],
  })
  async make(
    @CurrentOfficer() { officerId }: ActingOfficer,
    @Body() { kind, payload }: MakeProposalBody,
    @IdempotencyKey() idempotency: IdempotentRequest | undefined,
  ): Promise<ProposalView> {
    const { id } = await this.commands.execute(new MakeProposal(officerId, kind, payload, idempotency));
    return this.queries.execute(new FindProposal(id));
  }

  @Get()
  @Operation({
    summary: 'List proposals',
    scope: 'admin:compliance',
    status: 200,
    response: { type: ProposalPage, description: 'A page of proposals, newest first.' },
    problems: [InvalidCursor],
  })
  list(@Query() page: PageQuery): Promise<Page<ProposalView>> {
    return this.queries.execute(new ListProposals(page));
  }

  @Get(':proposalId')
  @Operation({
    summary: 'Read a proposal',
    scope: 'admin:compliance',
    status: 200,
    response: { type: ProposalResponse, description: 'The proposal.' },
    problems: [ProposalNotFound],
  })
  find(@Param('proposalId', IdPipe) proposalId: ProposalId): Promise<ProposalView> {
    return this.queries.execute(new FindProposal(proposalId));
  }

  @Post(':proposalId/approve')
  @Operation({
    summary: 'Approve a proposal',
    description: 'By another officer than who made it. It is carried out before this answers, or not at all.',
    scope: 'admin:compliance',
    status: 200,
    response: { type: ProposalResponse, description: 'The approved proposal.' },
    problems: [OfficerRequired, ProposalNotFound, ProposalClosed, ProposalStale, AnotherOfficerRequired],
  })
  async approve(
    @CurrentOfficer() { officerId }: ActingOfficer,
    @Param('proposalId', IdPipe) proposalId: ProposalId,
  ): Promise<ProposalView> {
    await this.commands.execute(new ApproveProposal(officerId, proposalId));
    return this.queries.execute(new FindProposal(proposalId));
  }

  @Post(':proposalId/reject')
  @Operation({
    summary: 'Reject a proposal',
    description: 'By another officer than who made it.',
    scope: 'admin:compliance',
    status: 200,
    response: { type: ProposalResponse, description: 'The rejected proposal.' },
    problems: [OfficerRequired, ProposalNotFound, ProposalClosed, ProposalStale, AnotherOfficerRequired],
  })
  async reject(
    @CurrentOfficer() { officerId }: ActingOfficer,
    @Param('proposalId', IdPipe) proposalId: ProposalId,
  ): Promise<ProposalView> {
    await this.commands.execute(new RejectProposal(officerId, proposalId));
    return this.queries.execute(new FindProposal(proposalId));
  }

  @Post(':proposalId/withdraw')
  @Operation({
    summary: 'Withdraw a proposal',
    description: 'By the officer who made it.',
    scope: 'admin:compliance',
    status: 200,
    response: { type: ProposalResponse, description: 'The withdrawn proposal.' },
    problems: [OfficerRequired, ProposalNotFound, ProposalClosed, ProposalStale, ProposerRequired],
  })
  async withdraw(
    @CurrentOfficer() { officerId }: ActingOfficer,
    @Param('proposalId', IdPipe) proposalId: ProposalId,
  ): Promise<ProposalView> {
    await this.commands.execute(new WithdrawProposal(officerId, proposalId));
    return this.queries.execute(new FindProposal(proposalId));
  }
}
