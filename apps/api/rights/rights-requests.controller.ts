import { SubjectNotFound } from '#consent/consent.errors';
import type { IdempotentRequest } from '#platform/idempotency';
import type { CaseId, ClientId } from '#platform/ids';
import type { Page } from '#platform/page';
import { IdempotencyKeyInvalid, IdempotencyKeyReused, InvalidCursor } from '#platform/platform.errors';
import { ExportSubject } from '#rights/export-subject';
import { type CaseView, FindCase, type WholeCase } from '#rights/find-case';
import { ListCases } from '#rights/list-cases';
import { OpenCase } from '#rights/open-case';
import { type ErasureProof, ProveErasure } from '#rights/prove-erasure';
import {
  CaseNotFound,
  CaseOfAnotherKind,
  CaseStepImpossible,
  ErasureInputsUnread,
  ErasureNotFinished,
  RightNotProvided,
} from '#rights/rights.errors';
import { WithdrawCase } from '#rights/withdraw-case';
import {
  Body,
  Controller,
  Get,
  Param,
  Post,
  Query,
  type StreamableFile,
  UseInterceptors,
} from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import { CurrentClient } from '../auth/current-client.decorator.js';
import { Operation } from '../openapi/operation.decorator.js';
import { HeadReadsNothing } from '../request/head-reads-nothing.interceptor.js';
import { IdPipe } from '../request/id.pipe.js';
import { ApiIdempotencyKey, IdempotencyKey } from '../request/idempotency-key.decorator.js';
import { CasePage, CasesQuery, ErasureProofResponse, OpenCaseBody, WholeCaseResponse } from './case.dto.js';
import { exportFile } from './export-file.js';
import { ExportQuery, ExportResponse } from './subject-rights.dto.js';

@ApiTags('Rights of the data principal')
@Controller('v1/rights-requests')
export class RightsRequestsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Post()
  @ApiIdempotencyKey()
  @Operation({
    summary: 'Open a request of a data principal',
    description:
      'Access, correction, erasure, portability, restriction, objection, nomination or grievance; when it is due follows from the policy of the jurisdiction. A restriction or an objection stops all processing of the subject before the call returns.',
    scope: 'consent:write',
    status: 201,
    response: { type: WholeCaseResponse, description: 'The case.' },
    problems: [SubjectNotFound, RightNotProvided, CaseNotFound, IdempotencyKeyReused, IdempotencyKeyInvalid],
  })
  async open(
    @CurrentClient() clientId: ClientId,
    @Body() body: OpenCaseBody,
    @IdempotencyKey() idempotency: IdempotentRequest | undefined,
  ): Promise<WholeCase> {
    const { id } = await this.commands.execute(new OpenCase(clientId, body, idempotency));
    return this.queries.execute(new FindCase(id, clientId));
  }

  @Get()
  @Operation({
    summary: 'List requests',
    scope: 'consent:read',
    status: 200,
    response: { type: CasePage, description: 'A page of cases, oldest first.' },
    problems: [InvalidCursor],
  })
  list(
    @CurrentClient() clientId: ClientId,
    @Query() { limit, cursor, ...filter }: CasesQuery,
  ): Promise<Page<CaseView>> {
    return this.queries.execute(new ListCases(clientId, filter, { limit, ...(cursor && { cursor }) }));
  }

  @Get(':caseId')
  @Operation({
    summary: 'Read a request',
    scope: 'consent:read',
    status: 200,
    response: { type: WholeCaseResponse, description: 'The case, with what became of it.' },
    problems: [CaseNotFound],
  })
  find(@CurrentClient() clientId: ClientId, @Param('caseId', IdPipe) caseId: CaseId): Promise<WholeCase> {
    return this.queries.execute(new FindCase(caseId, clientId));
  }

  @Post(':caseId/withdraw')
  @Operation({
    summary: 'Take a request back',
    description: 'What it restricted may be processed again; a restriction that was granted is lifted.',
    scope: 'consent:write',
    status: 200,
    response: { type: WholeCaseResponse, description: 'The case.' },
    problems: [CaseNotFound, CaseStepImpossible],
  })
  async withdraw(
    @CurrentClient() clientId: ClientId,
    @Param('caseId', IdPipe) caseId: CaseId,
  ): Promise<WholeCase> {
    await this.commands.execute(new WithdrawCase(clientId, caseId));
    return this.queries.execute(new FindCase(caseId, clientId));
  }

  @Get(':caseId/export')
  @UseInterceptors(HeadReadsNothing)
  @Operation({
    summary: 'Export what is held about who asked',
    description: 'As GET /v1/subjects/{subjectId}/export; the audit log says that it was for this case.',
    scope: 'consent:read',
    status: 200,
    response: { type: ExportResponse, description: 'All that is held.' },
    problems: [CaseNotFound, SubjectNotFound],
  })
  async export(
    @CurrentClient() clientId: ClientId,
    @Param('caseId', IdPipe) caseId: CaseId,
    @Query() { format }: ExportQuery,
  ): Promise<StreamableFile> {
    const { subjectId } = await this.queries.execute(new FindCase(caseId, clientId));
    return exportFile(await this.commands.execute(new ExportSubject(clientId, subjectId, caseId)), format);
  }

  @Get(':caseId/proof')
  @Operation({
    summary: 'Get the signed proof of an erasure',
    description: 'Also when nothing else is left of the person. It can be checked offline.',
    scope: 'consent:read',
    status: 200,
    response: { type: ErasureProofResponse, description: 'The proof.' },
    problems: [CaseNotFound, CaseOfAnotherKind, ErasureNotFinished, ErasureInputsUnread],
  })
  proof(@CurrentClient() clientId: ClientId, @Param('caseId', IdPipe) caseId: CaseId): Promise<ErasureProof> {
    return this.queries.execute(new ProveErasure(clientId, caseId));
  }
}
