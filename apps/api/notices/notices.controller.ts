import {
  NoticeIncomplete,
  NoticeLanguageMissing,
  NoticeNotFound,
  RenewalInPast,
} from '#consent/consent.errors';
import { FindCurrentNotice } from '#consent/find-current-notice';
import { FindNotice } from '#consent/find-notice';
import { ListNotices, type NoticeView } from '#consent/list-notices';
import { PublishNotice } from '#consent/publish-notice';
import type { IdempotentRequest } from '#platform/idempotency';
import type { ClientId, NoticeId } from '#platform/ids';
import type { Page } from '#platform/page';
import { IdempotencyKeyInvalid, IdempotencyKeyReused, InvalidCursor } from '#platform/platform.errors';
import { JurisdictionUnknown } from '#policy/policy.errors';
import { Body, Controller, Get, Param, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import { CurrentClient } from '../auth/current-client.decorator.js';
import { Operation } from '../openapi/operation.decorator.js';
import { IdPipe } from '../request/id.pipe.js';
import { ApiIdempotencyKey, IdempotencyKey } from '../request/idempotency-key.decorator.js';
import {
  CurrentNoticeQuery,
  NoticePage,
  NoticeResponse,
  NoticesQuery,
  PublishNoticeBody,
} from './notice.dto.js';

@ApiTags('Subjects and consent')
@Controller('v1/notices')
export class NoticesController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Post()
  @ApiIdempotencyKey()
  @Operation({
    summary: 'Publish a notice',
    description:
      'The next version of what persons read before they consent. A published version never changes, and names the hash of the one before it.',
    scope: 'consent:write',
    status: 201,
    response: { type: NoticeResponse, description: 'The notice.' },
    problems: [
      JurisdictionUnknown,
      NoticeIncomplete,
      RenewalInPast,
      IdempotencyKeyReused,
      IdempotencyKeyInvalid,
    ],
  })
  async publish(
    @CurrentClient() clientId: ClientId,
    @Body() body: PublishNoticeBody,
    @IdempotencyKey() idempotency: IdempotentRequest | undefined,
  ): Promise<NoticeView> {
    const { id } = await this.commands.execute(new PublishNotice(clientId, body, idempotency));
    return this.queries.execute(new FindNotice(clientId, id));
  }

  @Get()
  @Operation({
    summary: 'List notices',
    scope: 'consent:read',
    status: 200,
    response: { type: NoticePage, description: 'A page of notices, oldest first.' },
    problems: [InvalidCursor],
  })
  list(
    @CurrentClient() clientId: ClientId,
    @Query() { purpose, language, ...page }: NoticesQuery,
  ): Promise<Page<NoticeView>> {
    const filter = { ...(purpose && { purpose }), ...(language && { language }) };
    return this.queries.execute(new ListNotices(clientId, filter, page));
  }

  @Get('current')
  @Operation({
    summary: 'Read the notice that is current',
    description:
      'The newest version for a purpose, in the first of the languages that it is published in. A range is cut from its end until one fits: hi-IN finds hi.',
    scope: 'consent:read',
    status: 200,
    response: { type: NoticeResponse, description: 'The notice.' },
    problems: [NoticeLanguageMissing],
  })
  current(
    @CurrentClient() clientId: ClientId,
    @Query() { purpose, language, jurisdiction }: CurrentNoticeQuery,
  ): Promise<NoticeView> {
    return this.queries.execute(new FindCurrentNotice(clientId, purpose, language, jurisdiction));
  }

  @Get(':noticeId')
  @Operation({
    summary: 'Read a notice',
    scope: 'consent:read',
    status: 200,
    response: { type: NoticeResponse, description: 'The notice.' },
    problems: [NoticeNotFound],
  })
  find(
    @CurrentClient() clientId: ClientId,
    @Param('noticeId', IdPipe) noticeId: NoticeId,
  ): Promise<NoticeView> {
    return this.queries.execute(new FindNotice(clientId, noticeId));
  }
}
