import {
  EvidenceInFuture,
  NoticeForAnotherJurisdiction,
  NoticeForAnotherPurpose,
  NoticeNotFound,
  SubjectNotFound,
} from '#consent/consent.errors';
import { type ConsentView, FindConsent } from '#consent/find-consent';
import { RefuseConsent } from '#consent/refuse-consent';
import type { IdempotentRequest } from '#platform/idempotency';
import type { ClientId } from '#platform/ids';
import { IdempotencyKeyInvalid, IdempotencyKeyReused } from '#platform/platform.errors';
import { Body, Controller, Post } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import { CurrentClient } from '../auth/current-client.decorator.js';
import { Operation } from '../openapi/operation.decorator.js';
import { ApiIdempotencyKey, IdempotencyKey } from '../request/idempotency-key.decorator.js';
import { ConsentResponse, RefuseConsentBody } from './consent.dto.js';

@ApiTags('Subjects and consent')
@Controller('v1/consent-refusals')
export class ConsentRefusalsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Post()
  @ApiIdempotencyKey()
  @Operation({
    summary: 'Record a refusal',
    description:
      'That a subject was asked and said no. Nothing becomes valid; a consent that is active stays so until it is withdrawn.',
    scope: 'consent:write',
    status: 201,
    response: { type: ConsentResponse, description: 'What was refused, as a consent that was never given.' },
    problems: [
      SubjectNotFound,
      NoticeNotFound,
      NoticeForAnotherPurpose,
      NoticeForAnotherJurisdiction,
      EvidenceInFuture,
      IdempotencyKeyReused,
      IdempotencyKeyInvalid,
    ],
  })
  async refuse(
    @CurrentClient() clientId: ClientId,
    @Body() body: RefuseConsentBody,
    @IdempotencyKey() idempotency: IdempotentRequest | undefined,
  ): Promise<ConsentView> {
    const { id } = await this.commands.execute(new RefuseConsent(clientId, body, idempotency));
    return this.queries.execute(new FindConsent(clientId, id));
  }
}
