import { ConfirmDelivery } from '#incidents/confirm-delivery';
import { AffectedSubjectUnknown, IncidentNotFound, IncidentTimesInvalid } from '#incidents/incidents.errors';
import { ListNotified, type NotifiedIncident } from '#incidents/list-notified';
import { type Notices, TakeNotices } from '#incidents/take-notices';
import type { ClientId, IncidentId } from '#platform/ids';
import type { Page } from '#platform/page';
import { InvalidCursor } from '#platform/platform.errors';
import { Body, Controller, Get, Param, Post, Query, UseInterceptors } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import { CurrentClient } from '../auth/current-client.decorator.js';
import { Operation } from '../openapi/operation.decorator.js';
import { HeadReadsNothing } from '../request/head-reads-nothing.interceptor.js';
import { IdPipe } from '../request/id.pipe.js';
import { PageQuery } from '../request/page.dto.js';
import { DeliveriesBody, NoticesPage, NotifiedIncidentPage } from './incident.dto.js';

@ApiTags('Subjects and consent')
@Controller('v1/incidents')
export class IncidentsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Get()
  @Operation({
    summary: 'List incidents of which subjects have to be told',
    scope: 'consent:read',
    status: 200,
    response: { type: NotifiedIncidentPage, description: 'A page of incidents, newest first.' },
    problems: [InvalidCursor],
  })
  list(@CurrentClient() clientId: ClientId, @Query() page: PageQuery): Promise<Page<NotifiedIncident>> {
    return this.queries.execute(new ListNotified(clientId, page));
  }

  @Get(':incidentId/notices')
  @UseInterceptors(HeadReadsNothing)
  @Operation({
    summary: 'Read who has to be told of an incident, and what',
    description:
      'Velum knows no addresses: deliver the text of the jurisdiction, in a language that the person reads, and confirm it. The persons on the page count as handed over.',
    scope: 'consent:read',
    status: 200,
    response: { type: NoticesPage, description: 'A page of subjects, and the texts for all of them.' },
    problems: [IncidentNotFound, InvalidCursor],
  })
  notices(
    @CurrentClient() clientId: ClientId,
    @Param('incidentId', IdPipe) incidentId: IncidentId,
    @Query() page: PageQuery,
  ): Promise<Notices> {
    return this.commands.execute(new TakeNotices(clientId, incidentId, page));
  }

  @Post(':incidentId/delivered')
  @Operation({
    summary: 'Confirm that persons were told of an incident',
    description:
      'Or that it failed, to try again. Who was told stays told; sending the same again is no error.',
    scope: 'consent:write',
    status: 204,
    problems: [IncidentNotFound, AffectedSubjectUnknown, IncidentTimesInvalid],
  })
  async delivered(
    @CurrentClient() clientId: ClientId,
    @Param('incidentId', IdPipe) incidentId: IncidentId,
    @Body() { deliveries }: DeliveriesBody,
  ): Promise<void> {
    await this.commands.execute(new ConfirmDelivery(clientId, incidentId, deliveries));
  }
}
