import { AddAffected } from '#incidents/add-affected';
import { ExportDelivery } from '#incidents/export-delivery';
import { FindIncident, type IncidentDetails } from '#incidents/find-incident';
import {
  AffectedFilterEmpty,
  AffectedQueryNotFound,
  DutyAlreadyMet,
  DutyNotFound,
  IncidentNotFound,
  IncidentStepRefused,
  IncidentTimesInvalid,
  NoticeIncomplete,
} from '#incidents/incidents.errors';
import { RecordNotification } from '#incidents/record-notification';
import { type Released, ReleaseNotices } from '#incidents/release-notices';
import { type NotificationText, RenderText } from '#incidents/render-text';
import { type DeliveryReport, ReportDelivery } from '#incidents/report-delivery';
import { OfficerRequired } from '#officers/officers.errors';
import type { IdempotentRequest } from '#platform/idempotency';
import type { IncidentDutyId, IncidentId, IncidentQueryId } from '#platform/ids';
import { IdempotencyKeyInvalid, IdempotencyKeyReused, InvalidCursor } from '#platform/platform.errors';
import { JurisdictionUnknown } from '#policy/policy.errors';
import { Body, Controller, Get, Param, Post, Query, StreamableFile } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiBody, ApiProduces, ApiTags } from '@nestjs/swagger';
import { Readable } from 'node:stream';
import { EXAMPLE } from '../../openapi/examples.js';
import { Operation } from '../../openapi/operation.decorator.js';
import { IdPipe } from '../../request/id.pipe.js';
import { ApiIdempotencyKey, IdempotencyKey } from '../../request/idempotency-key.decorator.js';
import { IncidentDetailsResponse } from './incident-response.dto.js';
import {
  AddAffectedBody,
  DeliveryQuery,
  DeliveryReportResponse,
  RecordNotificationBody,
  ReleasedResponse,
  TextList,
  TextsQuery,
} from './notification.dto.js';

const SHOWN = { type: IncidentDetailsResponse, description: 'The incident.' } as const;

/** Whom an incident affects, and who is told of it. */
@ApiTags('Administration')
@Controller('v1/admin/incidents/:incidentId')
export class NotificationsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Post('affected')
  @ApiIdempotencyKey()
  @ApiBody({
    type: AddAffectedBody,
    examples: {
      gallery: { summary: 'Of a gallery', value: { galleryId: EXAMPLE.galleryId } },
      window: {
        summary: 'Compared with a face in a window',
        value: { matchedFrom: EXAMPLE.time, matchedTo: EXAMPLE.expiry },
      },
    },
  })
  @Operation({
    summary: 'Add affected subjects',
    description:
      'Those who meet all conditions. They stay affected, whatever becomes of them; the clocks of their jurisdictions begin.',
    scope: 'admin:compliance',
    status: 201,
    response: SHOWN,
    problems: [
      OfficerRequired,
      IncidentNotFound,
      IncidentStepRefused,
      AffectedFilterEmpty,
      JurisdictionUnknown,
      IdempotencyKeyReused,
      IdempotencyKeyInvalid,
    ],
  })
  async addAffected(
    @Param('incidentId', IdPipe) incidentId: IncidentId,
    @Body() body: AddAffectedBody,
    @IdempotencyKey() idempotency: IdempotentRequest | undefined,
  ): Promise<IncidentDetails> {
    await this.commands.execute(new AddAffected(incidentId, body, idempotency));
    return this.queries.execute(new FindIncident(incidentId));
  }

  @Post('affected/:affectedId/rerun')
  @Operation({
    summary: 'Run a query for affected subjects once more',
    description: 'Adds those whom it finds now and did not find before.',
    scope: 'admin:compliance',
    status: 200,
    response: SHOWN,
    problems: [
      OfficerRequired,
      IncidentNotFound,
      IncidentStepRefused,
      AffectedQueryNotFound,
      JurisdictionUnknown,
    ],
  })
  async rerun(
    @Param('incidentId', IdPipe) incidentId: IncidentId,
    @Param('affectedId', IdPipe) again: IncidentQueryId,
  ): Promise<IncidentDetails> {
    await this.commands.execute(new AddAffected(incidentId, { again }));
    return this.queries.execute(new FindIncident(incidentId));
  }

  @Post('duties/:dutyId/notified')
  @Operation({
    summary: 'Record a notification',
    description: 'That whom a duty names was told; the duty is met by it.',
    scope: 'admin:compliance',
    status: 200,
    response: SHOWN,
    problems: [
      OfficerRequired,
      IncidentNotFound,
      IncidentStepRefused,
      IncidentTimesInvalid,
      DutyNotFound,
      DutyAlreadyMet,
    ],
  })
  async notified(
    @Param('incidentId', IdPipe) incidentId: IncidentId,
    @Param('dutyId', IdPipe) dutyId: IncidentDutyId,
    @Body() { at, reference }: RecordNotificationBody,
  ): Promise<IncidentDetails> {
    await this.commands.execute(new RecordNotification(incidentId, dutyId, at, reference));
    return this.queries.execute(new FindIncident(incidentId));
  }

  @Get('texts')
  @Operation({
    summary: 'Read what a duty has to say',
    description: 'The text for each jurisdiction, with what is known by now; counsel must confirm it.',
    scope: 'admin:compliance',
    status: 200,
    response: { type: TextList, description: 'A text for each jurisdiction that has the duty.' },
    problems: [IncidentNotFound, DutyNotFound],
  })
  async texts(
    @Param('incidentId', IdPipe) incidentId: IncidentId,
    @Query() { duty, language, jurisdiction }: TextsQuery,
  ): Promise<{ items: readonly NotificationText[] }> {
    return { items: await this.queries.execute(new RenderText(incidentId, duty, language, jurisdiction)) };
  }

  @Post('notify')
  @Operation({
    summary: 'Release the notices to affected persons',
    description:
      'To the clients that know the persons: by webhook (`incident.notify_person`, one for each person) and by `GET /v1/incidents/{incidentId}/notices`. Who was released before is not released again.',
    scope: 'admin:compliance',
    status: 200,
    response: { type: ReleasedResponse, description: 'How many persons are to be told.' },
    problems: [OfficerRequired, IncidentNotFound, IncidentStepRefused, NoticeIncomplete],
  })
  notify(@Param('incidentId', IdPipe) incidentId: IncidentId): Promise<Released> {
    return this.commands.execute(new ReleaseNotices(incidentId));
  }

  @Get('delivery')
  @Operation({
    summary: 'Read how far the notices have come',
    scope: 'admin:compliance',
    status: 200,
    response: { type: DeliveryReportResponse, description: 'Counts, and a page of affected subjects.' },
    problems: [IncidentNotFound, InvalidCursor],
  })
  delivery(
    @Param('incidentId', IdPipe) incidentId: IncidentId,
    @Query() { state, ...page }: DeliveryQuery,
  ): Promise<DeliveryReport> {
    return this.queries.execute(new ReportDelivery(incidentId, state, page));
  }

  @Get('delivery.csv')
  @ApiProduces('text/csv')
  @Operation({
    summary: 'Read the whole delivery report as CSV',
    scope: 'admin:compliance',
    status: 200,
    problems: [IncidentNotFound],
  })
  async deliveryCsv(@Param('incidentId', IdPipe) incidentId: IncidentId): Promise<StreamableFile> {
    const parts = await this.queries.execute(new ExportDelivery(incidentId));
    return new StreamableFile(Readable.from(parts), { type: 'text/csv; charset=utf-8; header=present' });
  }
}
