import { ClientNotFound } from '#auth/auth.errors';
import { OfficerRequired } from '#officers/officers.errors';
import type { Created, IdempotentRequest } from '#platform/idempotency';
import { IdempotencyKeyInvalid, IdempotencyKeyReused } from '#platform/platform.errors';
import { JurisdictionUnknown } from '#policy/policy.errors';
import { DescribeImpact, type ImpactEvidence } from '#records/describe-impact';
import { DescribeProcessing, type ProcessingRecord } from '#records/describe-processing';
import { ListFacts, type RecordFact } from '#records/list-facts';
import { type ControlMap, MapControls } from '#records/map-controls';
import { RecordAssessment } from '#records/record-assessment';
import { ReplaceFacts } from '#records/replace-facts';
import { Body, Controller, Get, Post, Put, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import { Operation } from '../../openapi/operation.decorator.js';
import { asPage } from '../../page/as-page.js';
import { ApiIdempotencyKey, IdempotencyKey } from '../../request/idempotency-key.decorator.js';
import { AlsoAs } from '../../request/representations.js';
import { controlsPage } from './controls.page.js';
import { impactPage } from './impact.page.js';
import { processingPage } from './processing.page.js';
import {
  AssessmentBody,
  AssessmentRecorded,
  ControlsResponse,
  FactsBody,
  ImpactResponse,
  ProcessingQuery,
  ProcessingResponse,
  RecordQuery,
} from './record.dto.js';

@ApiTags('Administration')
@Controller('v1/admin/records')
export class RecordsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Get('processing')
  @AlsoAs(asPage(processingPage))
  @Operation({
    summary: 'Make the record of processing activities',
    description:
      'GDPR Art. 30, from the running system; what only people know is an open item until they say it.',
    scope: 'admin:compliance',
    status: 200,
    response: { type: ProcessingResponse, description: 'The record, or a page of it.' },
  })
  processing(@Query() { clientId }: ProcessingQuery): Promise<ProcessingRecord> {
    return this.queries.execute(new DescribeProcessing(clientId));
  }

  @Get('impact')
  @AlsoAs(asPage(impactPage))
  @Operation({
    summary: 'Gather evidence for an impact assessment',
    description:
      'GDPR Art. 35(7), DPDP Rules rule 13: what the running system shows, and when an assessment is due.',
    scope: 'admin:compliance',
    status: 200,
    response: { type: ImpactResponse, description: 'The evidence, or a page of it.' },
  })
  impact(@Query() _query: RecordQuery): Promise<ImpactEvidence> {
    return this.queries.execute(new DescribeImpact());
  }

  @Get('controls')
  @AlsoAs(asPage(controlsPage))
  @Operation({
    summary: 'Map the controls of ISO/IEC 27001',
    description: 'What serves each control of Annex A, and what a look at the running system found.',
    scope: 'admin:compliance',
    status: 200,
    response: { type: ControlsResponse, description: 'The map, or a page of it.' },
  })
  controls(@Query() _query: RecordQuery): Promise<ControlMap> {
    return this.queries.execute(new MapControls());
  }

  @Get('facts')
  @Operation({
    summary: 'Read what people stated for the records',
    scope: 'admin:compliance',
    status: 200,
    response: { type: FactsBody, description: 'The facts.' },
  })
  async facts(): Promise<{ facts: readonly RecordFact[] }> {
    return { facts: await this.queries.execute(new ListFacts()) };
  }

  @Put('facts')
  @Operation({
    summary: 'State what only people know',
    description:
      'Controller, contacts, legal basis and the like, encrypted in the database. Replaces what was stated before.',
    scope: 'admin:compliance',
    status: 200,
    response: { type: FactsBody, description: 'The facts.' },
    problems: [OfficerRequired, ClientNotFound],
  })
  async replaceFacts(@Body() { facts }: FactsBody): Promise<{ facts: readonly RecordFact[] }> {
    await this.commands.execute(new ReplaceFacts(facts));
    return this.facts();
  }

  @Post('assessments')
  @ApiIdempotencyKey()
  @Operation({
    summary: 'Record that the processing was assessed',
    description: 'The next one is due as the policy in force has it; see GET /v1/admin/records/impact.',
    scope: 'admin:compliance',
    status: 201,
    response: { type: AssessmentRecorded, description: 'The assessment.' },
    problems: [OfficerRequired, JurisdictionUnknown, IdempotencyKeyReused, IdempotencyKeyInvalid],
  })
  assess(
    @Body() body: AssessmentBody,
    @IdempotencyKey() idempotency: IdempotentRequest | undefined,
  ): Promise<Created<'assessment'>> {
    return this.commands.execute(new RecordAssessment(body, idempotency));
  }
}
