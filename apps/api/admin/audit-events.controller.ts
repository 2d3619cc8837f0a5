import { type AuditEventView, ListAuditEvents } from '#audit/list-audit-events';
import type { Page } from '#platform/page';
import { InvalidCursor } from '#platform/platform.errors';
import { Controller, Get, Query } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import { Operation } from '../openapi/operation.decorator.js';
import { AuditEventPage, AuditEventsQuery } from './audit-event.dto.js';

@ApiTags('Administration')
@Controller('v1/admin/audit-events')
export class AuditEventsController {
  constructor(private readonly queries: QueryBus) {}

  @Get()
  @Operation({
    summary: 'Read the audit log',
    description: 'Every decision of this installation, newest first, for compliance officers.',
    scope: 'admin:audit',
    status: 200,
    response: { type: AuditEventPage, description: 'A page of audit events.' },
    problems: [InvalidCursor],
  })
  list(@Query() { limit, cursor, ...filter }: AuditEventsQuery): Promise<Page<AuditEventView>> {
    return this.queries.execute(new ListAuditEvents(filter, { limit, ...(cursor && { cursor }) }));
  }
}
