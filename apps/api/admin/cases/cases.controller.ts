import { SubjectNotFound } from '#consent/consent.errors';
import { OfficerRequired } from '#officers/officers.errors';
import type { CaseId } from '#platform/ids';
import type { Page } from '#platform/page';
import { InvalidCursor } from '#platform/platform.errors';
import { AdvanceCase } from '#rights/advance-case';
import { ExtendCase } from '#rights/extend-case';
import { type CaseView, FindCase, type WholeCase } from '#rights/find-case';
import { FulfilCase } from '#rights/fulfil-case';
import { ListCases } from '#rights/list-cases';
import { RefuseCase } from '#rights/refuse-case';
import {
  CaseNotFound,
  CaseStepImpossible,
  ExtensionNotProvided,
  ExtensionTooLate,
  NomineeRequired,
} from '#rights/rights.errors';
import { Body, Controller, Get, Param, Post, Query } from '@nestjs/common';
import { type Command, CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import { Operation } from '../../openapi/operation.decorator.js';
import { IdPipe } from '../../request/id.pipe.js';
import { CasePage, WholeCaseResponse } from '../../rights/case.dto.js';
import { AllCasesQuery, ExtendCaseBody, FulfilCaseBody, RefuseCaseBody } from './case-step.dto.js';

const CASE = {
  scope: 'admin:compliance',
  status: 200,
  response: { type: WholeCaseResponse, description: 'The case, with what became of it.' },
} as const;

@ApiTags('Administration')
@Controller('v1/admin/cases')
export class CasesController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Get()
  @Operation({
    summary: 'List the cases of all clients',
    description: 'What data principals asked for. `overdue=true`: what should have been decided by now.',
    scope: 'admin:compliance',
    status: 200,
    response: { type: CasePage, description: 'A page of cases, oldest first.' },
    problems: [InvalidCursor],
  })
  list(@Query() { limit, cursor, ...filter }: AllCasesQuery): Promise<Page<CaseView>> {
    return this.queries.execute(new ListCases(undefined, filter, { limit, ...(cursor && { cursor }) }));
  }

  @Get(':caseId')
  @Operation({ summary: 'Read a case', ...CASE, problems: [CaseNotFound] })
  find(@Param('caseId', IdPipe) caseId: CaseId): Promise<WholeCase> {
    return this.queries.execute(new FindCase(caseId, undefined));
  }

  @Post(':caseId/check-identity')
  @Operation({
    summary: 'Ask who it is that asks',
    description: 'Nothing is granted until the case is taken up (GDPR Art. 12(6)).',
    ...CASE,
    problems: [OfficerRequired, CaseNotFound, CaseStepImpossible],
  })
  checkIdentity(@Param('caseId', IdPipe) caseId: CaseId): Promise<WholeCase> {
    return this.carryOut(caseId, new AdvanceCase(caseId, 'check_identity'));
  }

  @Post(':caseId/take-up')
  @Operation({
    summary: 'Take a case up',
    ...CASE,
    problems: [OfficerRequired, CaseNotFound, CaseStepImpossible],
  })
  takeUp(@Param('caseId', IdPipe) caseId: CaseId): Promise<WholeCase> {
    return this.carryOut(caseId, new AdvanceCase(caseId, 'take_up'));
  }

  @Post(':caseId/extend')
  @Operation({
    summary: 'Extend the time for the answer',
    description:
      'Once, before it is due, and where the policy has an extension. Tell the person within the first time.',
    ...CASE,
    problems: [OfficerRequired, CaseNotFound, CaseStepImpossible, ExtensionNotProvided, ExtensionTooLate],
  })
  extend(@Param('caseId', IdPipe) caseId: CaseId, @Body() { reason }: ExtendCaseBody): Promise<WholeCase> {
    return this.carryOut(caseId, new ExtendCase(caseId, reason));
  }

  @Post(':caseId/fulfil')
  @Operation({
    summary: 'Grant what was asked for',
    description:
      'Erasure: the person is erased before the call returns. Objection: the consents for that purpose end. Restriction: it stays until it is lifted. Nomination: somebody has to be recorded. Whatever else is asked for has been done; this records it.',
    ...CASE,
    problems: [OfficerRequired, CaseNotFound, CaseStepImpossible, NomineeRequired, SubjectNotFound],
  })
  fulfil(@Param('caseId', IdPipe) caseId: CaseId, @Body() { answer }: FulfilCaseBody): Promise<WholeCase> {
    return this.carryOut(caseId, new FulfilCase(caseId, answer));
  }

  @Post(':caseId/refuse')
  @Operation({
    summary: 'Refuse what was asked for',
    description: 'What it restricted may be processed again.',
    ...CASE,
    problems: [OfficerRequired, CaseNotFound, CaseStepImpossible, SubjectNotFound],
  })
  refuse(@Param('caseId', IdPipe) caseId: CaseId, @Body() refusal: RefuseCaseBody): Promise<WholeCase> {
    return this.carryOut(caseId, new RefuseCase(caseId, refusal));
  }

  @Post(':caseId/lift')
  @Operation({
    summary: 'Lift a restriction that was granted',
    description: 'Tell the person before (GDPR Art. 18(3)).',
    ...CASE,
    problems: [OfficerRequired, CaseNotFound, CaseStepImpossible],
  })
  lift(@Param('caseId', IdPipe) caseId: CaseId): Promise<WholeCase> {
    return this.carryOut(caseId, new AdvanceCase(caseId, 'lift'));
  }

  private async carryOut(caseId: CaseId, step: Command<void>): Promise<WholeCase> {
    await this.commands.execute(step);
    return this.queries.execute(new FindCase(caseId, undefined));
  }
}
