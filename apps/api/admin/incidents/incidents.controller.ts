import { AddEntry } from '#incidents/add-entry';
import { AssessIncident } from '#incidents/assess-incident';
import { CloseIncident } from '#incidents/close-incident';
import { ContainIncident } from '#incidents/contain-incident';
import { FindIncident, type IncidentDetails } from '#incidents/find-incident';
import type { IncidentView } from '#incidents/incident';
import {
  IncidentDutiesOpen,
  IncidentNotFound,
  IncidentStepRefused,
  IncidentTimesInvalid,
} from '#incidents/incidents.errors';
import { ListIncidents } from '#incidents/list-incidents';
import { OpenIncident } from '#incidents/open-incident';
import { OfficerRequired } from '#officers/officers.errors';
import type { IdempotentRequest } from '#platform/idempotency';
import type { IncidentId } from '#platform/ids';
import type { Page } from '#platform/page';
import { IdempotencyKeyInvalid, IdempotencyKeyReused, InvalidCursor } from '#platform/platform.errors';
import { JurisdictionUnknown } from '#policy/policy.errors';
import { Body, Controller, Get, Param, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import { Operation } from '../../openapi/operation.decorator.js';
import { IdPipe } from '../../request/id.pipe.js';
import { ApiIdempotencyKey, IdempotencyKey } from '../../request/idempotency-key.decorator.js';
import { IncidentDetailsResponse, IncidentPage } from './incident-response.dto.js';
import {
  AddEntryBody,
  AssessIncidentBody,
  CloseIncidentBody,
  IncidentsQuery,
  OpenIncidentBody,
} from './incident.dto.js';

const SHOWN = { type: IncidentDetailsResponse, description: 'The incident.' } as const;

@ApiTags('Administration')
@Controller('v1/admin/incidents')
export class AdminIncidentsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Post()
  @ApiIdempotencyKey()
  @Operation({
    summary: 'Open an incident',
    description: 'Detectors open some by themselves; they suggest, and persons decide.',
    scope: 'admin:compliance',
    status: 201,
    response: SHOWN,
    problems: [
      OfficerRequired,
      IncidentTimesInvalid,
      JurisdictionUnknown,
      IdempotencyKeyReused,
      IdempotencyKeyInvalid,
    ],
  })
  async open(
    @Body() body: OpenIncidentBody,
    @IdempotencyKey() idempotency: IdempotentRequest | undefined,
  ): Promise<IncidentDetails> {
    const { id } = await this.commands.execute(new OpenIncident(body, idempotency));
    return this.queries.execute(new FindIncident(id));
  }

  @Get()
  @Operation({
    summary: 'List incidents',
    scope: 'admin:compliance',
    status: 200,
    response: { type: IncidentPage, description: 'A page of incidents, newest first.' },
    problems: [InvalidCursor],
  })
  list(@Query() { state, ...page }: IncidentsQuery): Promise<Page<IncidentView>> {
    return this.queries.execute(new ListIncidents(state, page));
  }

  @Get(':incidentId')
  @Operation({
    summary: 'Read an incident',
    description: 'With its duties and the time that is left for each, entries, steps and queries.',
    scope: 'admin:compliance',
    status: 200,
    response: SHOWN,
    problems: [IncidentNotFound],
  })
  find(@Param('incidentId', IdPipe) incidentId: IncidentId): Promise<IncidentDetails> {
    return this.queries.execute(new FindIncident(incidentId));
  }

  @Post(':incidentId/assess')
  @Operation({
    summary: 'Assess an incident',
    description: 'Which duties apply follows from it. It can be assessed anew until it is closed.',
    scope: 'admin:compliance',
    status: 200,
    response: SHOWN,
    problems: [OfficerRequired, IncidentNotFound, IncidentStepRefused],
  })
  async assess(
    @Param('incidentId', IdPipe) incidentId: IncidentId,
    @Body() body: AssessIncidentBody,
  ): Promise<IncidentDetails> {
    await this.commands.execute(new AssessIncident(incidentId, body));
    return this.queries.execute(new FindIncident(incidentId));
  }

  @Post(':incidentId/contain')
  @Operation({
    summary: 'Say that an incident is contained',
    scope: 'admin:compliance',
    status: 200,
    response: SHOWN,
    problems: [OfficerRequired, IncidentNotFound, IncidentStepRefused],
  })
  async contain(@Param('incidentId', IdPipe) incidentId: IncidentId): Promise<IncidentDetails> {
    await this.commands.execute(new ContainIncident(incidentId));
    return this.queries.execute(new FindIncident(incidentId));
  }

  @Post(':incidentId/close')
  @Operation({
    summary: 'Close an incident',
    description: 'As handled, once it is contained and its duties are met; or as a false alarm.',
    scope: 'admin:compliance',
    status: 200,
    response: SHOWN,
    problems: [OfficerRequired, IncidentNotFound, IncidentStepRefused, IncidentDutiesOpen],
  })
  async close(
    @Param('incidentId', IdPipe) incidentId: IncidentId,
    @Body() { as }: CloseIncidentBody,
  ): Promise<IncidentDetails> {
    await this.commands.execute(new CloseIncident(incidentId, as));
    return this.queries.execute(new FindIncident(incidentId));
  }

  @Post(':incidentId/entries')
  @ApiIdempotencyKey()
  @Operation({
    summary: 'Add an entry to an incident',
    description: 'What was found, was done, and is to be told (GDPR Art. 33(3), DPDP rule 7).',
    scope: 'admin:compliance',
    status: 201,
    response: SHOWN,
    problems: [
      OfficerRequired,
      IncidentNotFound,
      IncidentStepRefused,
      IdempotencyKeyReused,
      IdempotencyKeyInvalid,
    ],
  })
  async addEntry(
    @Param('incidentId', IdPipe) incidentId: IncidentId,
    @Body() body: AddEntryBody,
    @IdempotencyKey() idempotency: IdempotentRequest | undefined,
  ): Promise<IncidentDetails> {
    await this.commands.execute(new AddEntry(incidentId, body, idempotency));
    return this.queries.execute(new FindIncident(incidentId));
  }
}
