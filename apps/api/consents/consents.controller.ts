import {
  ConsentAlreadyActive,
  ConsentEnded,
  ConsentExpiryInPast,
  ConsentMethodRequired,
  ConsentNotFound,
  EvidenceInFuture,
  GuardianRequired,
  NoticeForAnotherJurisdiction,
  NoticeForAnotherPurpose,
  NoticeIncomplete,
  NoticeNotFound,
  NoticeOutdated,
  SubjectNotFound,
  WrittenReleaseRequired,
} from '#consent/consent.errors';
import { type ConsentView, FindConsent } from '#consent/find-consent';
import { GrantConsent } from '#consent/grant-consent';
import { IssueReceipt } from '#consent/issue-receipt';
import { ListConsents } from '#consent/list-consents';
import { RenewConsent } from '#consent/renew-consent';
import { WithdrawConsent } from '#consent/withdraw-consent';
import type { IdempotentRequest } from '#platform/idempotency';
import type { ClientId, ConsentId } from '#platform/ids';
import type { Page } from '#platform/page';
import { IdempotencyKeyInvalid, IdempotencyKeyReused, InvalidCursor } from '#platform/platform.errors';
import { Body, Controller, Get, Param, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import { CurrentClient } from '../auth/current-client.decorator.js';
import { Operation } from '../openapi/operation.decorator.js';
import { IdPipe } from '../request/id.pipe.js';
import { ApiIdempotencyKey, IdempotencyKey } from '../request/idempotency-key.decorator.js';
import {
  ConsentPage,
  ConsentResponse,
  ConsentsQuery,
  GrantConsentBody,
  ReceiptResponse,
  RenewConsentBody,
} from './consent.dto.js';

/** What the notice, or the law of the subject's jurisdiction, does not permit. */
const NOT_PERMITTED = [
  NoticeForAnotherJurisdiction,
  NoticeIncomplete,
  NoticeOutdated,
  ConsentExpiryInPast,
  EvidenceInFuture,
  WrittenReleaseRequired,
  ConsentMethodRequired,
  GuardianRequired,
];

@ApiTags('Subjects and consent')
@Controller('v1/consents')
export class ConsentsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Post()
  @ApiIdempotencyKey()
  @Operation({
    summary: 'Record a consent',
    description: 'That a subject agreed to a purpose, as a notice put it.',
    scope: 'consent:write',
    status: 201,
    response: { type: ConsentResponse, description: 'The consent.' },
    problems: [
      SubjectNotFound,
      NoticeNotFound,
      NoticeForAnotherPurpose,
      ConsentAlreadyActive,
      ...NOT_PERMITTED,
      IdempotencyKeyReused,
      IdempotencyKeyInvalid,
    ],
  })
  async grant(
    @CurrentClient() clientId: ClientId,
    @Body() body: GrantConsentBody,
    @IdempotencyKey() idempotency: IdempotentRequest | undefined,
  ): Promise<ConsentView> {
    const { id } = await this.commands.execute(new GrantConsent(clientId, body, idempotency));
    return this.queries.execute(new FindConsent(clientId, id));
  }

  @Get()
  @Operation({
    summary: 'List consents',
    scope: 'consent:read',
    status: 200,
    response: { type: ConsentPage, description: 'A page of consents, oldest first, ended ones included.' },
    problems: [InvalidCursor],
  })
  list(
    @CurrentClient() clientId: ClientId,
    @Query() { subjectId, purpose, ...page }: ConsentsQuery,
  ): Promise<Page<ConsentView>> {
    const filter = { ...(subjectId && { subjectId }), ...(purpose && { purpose }) };
    return this.queries.execute(new ListConsents(clientId, filter, page));
  }

  @Get(':consentId')
  @Operation({
    summary: 'Read a consent',
    scope: 'consent:read',
    status: 200,
    response: { type: ConsentResponse, description: 'The consent.' },
    problems: [ConsentNotFound],
  })
  find(
    @CurrentClient() clientId: ClientId,
    @Param('consentId', IdPipe) consentId: ConsentId,
  ): Promise<ConsentView> {
    return this.queries.execute(new FindConsent(clientId, consentId));
  }

  @Post(':consentId/renew')
  @Operation({
    summary: 'Renew a consent',
    description:
      'That the subject agreed once more, perhaps to a newer notice. The consent stays the same, and what was enrolled under it usable.',
    scope: 'consent:write',
    status: 200,
    response: { type: ConsentResponse, description: 'The consent.' },
    problems: [
      ConsentNotFound,
      ConsentEnded,
      SubjectNotFound,
      NoticeNotFound,
      NoticeForAnotherPurpose,
      ...NOT_PERMITTED,
    ],
  })
  async renew(
    @CurrentClient() clientId: ClientId,
    @Param('consentId', IdPipe) consentId: ConsentId,
    @Body() body: RenewConsentBody,
  ): Promise<ConsentView> {
    await this.commands.execute(new RenewConsent(clientId, consentId, body));
    return this.queries.execute(new FindConsent(clientId, consentId));
  }

  @Get(':consentId/receipt')
  @Operation({
    summary: 'A receipt for the person to keep',
    description:
      'What was agreed to, when and how, and what became of it, signed: it can be checked years later without you or us (libs/statements/verifier/verify-statement.mjs).',
    scope: 'consent:read',
    status: 200,
    response: { type: ReceiptResponse, description: 'The receipt.' },
    problems: [ConsentNotFound],
  })
  async receipt(
    @CurrentClient() clientId: ClientId,
    @Param('consentId', IdPipe) consentId: ConsentId,
  ): Promise<ReceiptResponse> {
    return { receipt: await this.commands.execute(new IssueReceipt(clientId, consentId)) };
  }

  @Post(':consentId/withdraw')
  @Operation({
    summary: 'Withdraw a consent',
    description:
      'From this answer on the subject is not matched for this purpose, by any call; the templates made under the consent are erased by the worker. Withdrawing twice is no error.',
    scope: 'consent:write',
    status: 200,
    response: { type: ConsentResponse, description: 'The ended consent.' },
    problems: [ConsentNotFound],
  })
  async withdraw(
    @CurrentClient() clientId: ClientId,
    @Param('consentId', IdPipe) consentId: ConsentId,
  ): Promise<ConsentView> {
    await this.commands.execute(new WithdrawConsent(clientId, consentId));
    return this.queries.execute(new FindConsent(clientId, consentId));
  }
}
