import type { Created, IdempotentRequest } from '#platform/idempotency';
import type { ClientId, WebhookId } from '#platform/ids';
import type { Page } from '#platform/page';
import { IdempotencyKeyInvalid, IdempotencyKeyReused, InvalidCursor } from '#platform/platform.errors';
import { type CreatedWebhook, CreateWebhook } from '#webhooks/create-webhook';
import { DeleteWebhook } from '#webhooks/delete-webhook';
import { FindWebhook, type WebhookWithDeliveries } from '#webhooks/find-webhook';
import { ListWebhooks } from '#webhooks/list-webhooks';
import { TestWebhook } from '#webhooks/test-webhook';
import type { WebhookView } from '#webhooks/webhook';
import {
  TooManyWebhooks,
  WebhookAddressRefused,
  WebhookDisabled,
  WebhookNotFound,
  WebhookTestWaiting,
  WebhookUrlRefused,
} from '#webhooks/webhooks.errors';
import { Body, Controller, Delete, Get, Param, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import { CurrentClient } from '../auth/current-client.decorator.js';
import { Operation } from '../openapi/operation.decorator.js';
import { IdPipe } from '../request/id.pipe.js';
import { ApiIdempotencyKey, IdempotencyKey } from '../request/idempotency-key.decorator.js';
import { PageQuery } from '../request/page.dto.js';
import {
  CreatedWebhookResponse,
  CreateWebhookBody,
  TestedWebhookResponse,
  WebhookPage,
  WebhookWithDeliveriesResponse,
} from './webhook.dto.js';

@ApiTags('Webhooks')
@Controller('v1/webhooks')
export class WebhooksController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Post()
  @ApiIdempotencyKey()
  @Operation({
    summary: 'Create a webhook',
    description:
      'When a bulk job of yours is over, the URL gets `{type, timestamp, data}` with `type` `job.ended`, `job.failed` or `job.cancelled` and the ids and counts of the job; when one of your subjects has to be told of an incident, `incident.notify_person` with their ids. Both are signed as [Standard Webhooks](https://www.standardwebhooks.com) says. What is not answered with 2xx is sent again, eight times within a day; `webhook-id` stays the same.',
    scope: 'jobs:write',
    status: 201,
    response: { type: CreatedWebhookResponse, description: 'The webhook and the secret that signs.' },
    problems: [
      WebhookUrlRefused,
      WebhookAddressRefused,
      TooManyWebhooks,
      IdempotencyKeyReused,
      IdempotencyKeyInvalid,
    ],
  })
  create(
    @CurrentClient() clientId: ClientId,
    @Body() body: CreateWebhookBody,
    @IdempotencyKey() idempotency: IdempotentRequest | undefined,
  ): Promise<CreatedWebhook> {
    return this.commands.execute(new CreateWebhook(clientId, body, idempotency));
  }

  @Get()
  @Operation({
    summary: 'List webhooks',
    scope: 'jobs:read',
    status: 200,
    response: { type: WebhookPage, description: 'A page of webhooks, oldest first.' },
    problems: [InvalidCursor],
  })
  list(@CurrentClient() clientId: ClientId, @Query() page: PageQuery): Promise<Page<WebhookView>> {
    return this.queries.execute(new ListWebhooks(clientId, page));
  }

  @Get(':webhookId')
  @Operation({
    summary: 'Read a webhook',
    scope: 'jobs:read',
    status: 200,
    response: { type: WebhookWithDeliveriesResponse, description: 'The webhook and its last deliveries.' },
    problems: [WebhookNotFound],
  })
  find(
    @CurrentClient() clientId: ClientId,
    @Param('webhookId', IdPipe) webhookId: WebhookId,
  ): Promise<WebhookWithDeliveries> {
    return this.queries.execute(new FindWebhook(clientId, webhookId));
  }

  @Post(':webhookId/test')
  @ApiIdempotencyKey()
  @Operation({
    summary: 'Test a webhook',
    description: 'Sends a `webhook.test` now, once, on the way that all deliveries go.',
    scope: 'jobs:write',
    status: 201,
    response: { type: TestedWebhookResponse, description: 'The delivery: the webhook shows how it ended.' },
    problems: [
      WebhookNotFound,
      WebhookDisabled,
      WebhookTestWaiting,
      IdempotencyKeyReused,
      IdempotencyKeyInvalid,
    ],
  })
  test(
    @CurrentClient() clientId: ClientId,
    @Param('webhookId', IdPipe) webhookId: WebhookId,
    @IdempotencyKey() idempotency: IdempotentRequest | undefined,
  ): Promise<Created<'delivery'>> {
    return this.commands.execute(new TestWebhook(clientId, webhookId, idempotency));
  }

  @Delete(':webhookId')
  @Operation({
    summary: 'Delete a webhook',
    description: 'Nothing is sent to it any more, not even what waits.',
    scope: 'jobs:write',
    status: 204,
    problems: [WebhookNotFound],
  })
  delete(
    @CurrentClient() clientId: ClientId,
    @Param('webhookId', IdPipe) webhookId: WebhookId,
  ): Promise<void> {
    return this.commands.execute(new DeleteWebhook(clientId, webhookId));
  }
}
