import type { ClientId } from '#platform/ids';
import type { Page } from '#platform/page';
import { InvalidCursor } from '#platform/platform.errors';
import { type ErasureNotice, TakeErasureNotices } from '#retention/take-erasure-notices';
import { Controller, Get, Query, UseInterceptors } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import { CurrentClient } from '../auth/current-client.decorator.js';
import { Operation } from '../openapi/operation.decorator.js';
import { HeadReadsNothing } from '../request/head-reads-nothing.interceptor.js';
import { PageQuery } from '../request/page.dto.js';
import { ErasureNoticePage } from './retention.dto.js';

@ApiTags('Subjects and consent')
@Controller('v1/erasure-notices')
export class ErasureNoticesController {
  constructor(private readonly commands: CommandBus) {}

  @Get()
  @UseInterceptors(HeadReadsNothing)
  @Operation({
    summary: 'Read who has to be told that their data will be destroyed',
    description:
      'For clients without a webhook for `retention.notice_due`. Velum knows no addresses: tell the persons on the page, who count as told from now on. Nothing is destroyed before somebody was told, where the policy asks for it.',
    scope: 'consent:read',
    status: 200,
    response: { type: ErasureNoticePage, description: 'A page of persons, by consent.' },
    problems: [InvalidCursor],
  })
  list(@CurrentClient() clientId: ClientId, @Query() page: PageQuery): Promise<Page<ErasureNotice>> {
    return this.commands.execute(new TakeErasureNotices(clientId, page));
  }
}
