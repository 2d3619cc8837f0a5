import type { Page } from '#platform/page';
import { InvalidCursor } from '#platform/platform.errors';
import { type DueView, ListDue } from '#retention/list-due';
import { ListRuns, type RunView } from '#retention/list-runs';
import { Controller, Get, Query } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import { Operation } from '../openapi/operation.decorator.js';
import { PageQuery } from '../request/page.dto.js';
import { DuePage, DueQuery, RunPage } from './retention.dto.js';

@ApiTags('Administration')
@Controller('v1/admin/retention')
export class RetentionController {
  constructor(private readonly queries: QueryBus) {}

  @Get('due')
  @Operation({
    summary: 'What is due to be destroyed',
    description:
      'A dry run of the retention engine: what it will destroy before that time, when, and by which rule of which policy.',
    scope: 'admin:compliance',
    status: 200,
    response: { type: DuePage, description: 'A page of what is due.' },
    problems: [InvalidCursor],
  })
  due(@Query() { before, ...page }: DueQuery): Promise<Page<DueView>> {
    return this.queries.execute(new ListDue(before ?? new Date(), page));
  }

  @Get('runs')
  @Operation({
    summary: 'What was destroyed',
    description: 'The runs of the retention engine that destroyed something, newest first.',
    scope: 'admin:compliance',
    status: 200,
    response: { type: RunPage, description: 'A page of runs.' },
    problems: [InvalidCursor],
  })
  runs(@Query() page: PageQuery): Promise<Page<RunView>> {
    return this.queries.execute(new ListRuns(page));
  }
}
