import { OfficerRequired } from '#officers/officers.errors';
import type { IdempotentRequest } from '#platform/idempotency';
import type { HoldId } from '#platform/ids';
import type { Page } from '#platform/page';
import { IdempotencyKeyInvalid, IdempotencyKeyReused, InvalidCursor } from '#platform/platform.errors';
import { FindHold, type HoldView, ListHolds } from '#retention/list-holds';
import { PlaceHold } from '#retention/place-hold';
import { ReleaseHold } from '#retention/release-hold';
import { HoldEndsInPast, HoldNotFound, NothingToHold } from '#retention/retention.errors';
import { Body, Controller, Delete, Get, Param, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import { Operation } from '../openapi/operation.decorator.js';
import { IdPipe } from '../request/id.pipe.js';
import { ApiIdempotencyKey, IdempotencyKey } from '../request/idempotency-key.decorator.js';
import { HoldPage, HoldResponse, HoldsQuery, PlaceHoldBody } from './hold.dto.js';

@ApiTags('Administration')
@Controller('v1/admin/holds')
export class HoldsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Post()
  @ApiIdempotencyKey()
  @Operation({
    summary: 'Put data on hold',
    description:
      'Nothing of the person, or of the consent, is destroyed until the hold is released or its time is up, whoever asks. It makes nothing searchable: without a valid consent nobody is matched.',
    scope: 'admin:compliance',
    status: 201,
    response: { type: HoldResponse, description: 'The hold.' },
    problems: [
      OfficerRequired,
      NothingToHold,
      HoldEndsInPast,
      HoldNotFound,
      IdempotencyKeyReused,
      IdempotencyKeyInvalid,
    ],
  })
  async place(
    @Body() body: PlaceHoldBody,
    @IdempotencyKey() idempotency: IdempotentRequest | undefined,
  ): Promise<HoldView> {
    const { id } = await this.commands.execute(new PlaceHold(body, idempotency));
    return this.queries.execute(new FindHold(id));
  }

  @Get()
  @Operation({
    summary: 'List holds',
    scope: 'admin:compliance',
    status: 200,
    response: { type: HoldPage, description: 'A page of holds, oldest first, released ones included.' },
    problems: [InvalidCursor],
  })
  list(@Query() { subjectId, ...page }: HoldsQuery): Promise<Page<HoldView>> {
    return this.queries.execute(new ListHolds(subjectId, page));
  }

  @Delete(':holdId')
  @Operation({
    summary: 'Release a hold',
    description:
      'What is due is destroyed by the next run of the worker, if no other hold is on it. Releasing twice is no error.',
    scope: 'admin:compliance',
    status: 204,
    problems: [OfficerRequired, HoldNotFound],
  })
  release(@Param('holdId', IdPipe) holdId: HoldId): Promise<void> {
    return this.commands.execute(new ReleaseHold(holdId));
  }
}
