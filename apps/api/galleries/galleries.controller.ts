import { ApprovalRequired } from '#approvals/approvals.errors';
import { RequireApproval } from '#approvals/require-approval';
import {
  GalleryNameTaken,
  GalleryHoldsData,
  GalleryNotFound,
  UnknownModel,
  UnknownThreshold,
} from '#biometrics/biometrics.errors';
import { CreateGallery } from '#biometrics/create-gallery';
import { DestroyGallery } from '#biometrics/destroy-gallery';
import { FindGallery, type GalleryView } from '#biometrics/find-gallery';
import { ListGalleries } from '#biometrics/list-galleries';
import { CustodianUnavailable } from '#custody/custody.errors';
import type { IdempotentRequest } from '#platform/idempotency';
import type { ClientId, GalleryId } from '#platform/ids';
import type { Page } from '#platform/page';
import { IdempotencyKeyInvalid, IdempotencyKeyReused, InvalidCursor } from '#platform/platform.errors';
import { Body, Controller, Delete, Get, Param, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import { CurrentClient } from '../auth/current-client.decorator.js';
import { Operation } from '../openapi/operation.decorator.js';
import { IdPipe } from '../request/id.pipe.js';
import { ApiIdempotencyKey, IdempotencyKey } from '../request/idempotency-key.decorator.js';
import { PageQuery } from '../request/page.dto.js';
import { CreateGalleryBody, GalleryPage, GalleryResponse } from './gallery.dto.js';
import { thresholdOf } from './threshold.js';

@ApiTags('Galleries')
@Controller('v1/galleries')
export class GalleriesController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Post()
  @ApiIdempotencyKey()
  @Operation({
    summary: 'Create a gallery',
    description:
      'A gallery has a secret key of its own; destroying it makes all that was sealed in it unreadable.',
    scope: 'galleries:write',
    status: 201,
    response: { type: GalleryResponse, description: 'The gallery.' },
    problems: [
      GalleryNameTaken,
      UnknownModel,
      UnknownThreshold,
      CustodianUnavailable,
      IdempotencyKeyReused,
      IdempotencyKeyInvalid,
    ],
  })
  async create(
    @CurrentClient() clientId: ClientId,
    @Body() body: CreateGalleryBody,
    @IdempotencyKey() idempotency: IdempotentRequest | undefined,
  ): Promise<GalleryView> {
    const gallery = { ...body, threshold: thresholdOf(body.threshold) };
    const { id } = await this.commands.execute(new CreateGallery(clientId, gallery, idempotency));
    return this.queries.execute(new FindGallery(clientId, id));
  }

  @Get()
  @Operation({
    summary: 'List galleries',
    scope: 'galleries:read',
    status: 200,
    response: { type: GalleryPage, description: 'A page of galleries, oldest first.' },
    problems: [InvalidCursor],
  })
  list(@CurrentClient() clientId: ClientId, @Query() page: PageQuery): Promise<Page<GalleryView>> {
    return this.queries.execute(new ListGalleries(clientId, page));
  }

  @Get(':galleryId')
  @Operation({
    summary: 'Read a gallery',
    scope: 'galleries:read',
    status: 200,
    response: { type: GalleryResponse, description: 'The gallery.' },
    problems: [GalleryNotFound],
  })
  find(
    @CurrentClient() clientId: ClientId,
    @Param('galleryId', IdPipe) galleryId: GalleryId,
  ): Promise<GalleryView> {
    return this.queries.execute(new FindGallery(clientId, galleryId));
  }

  @Delete(':galleryId')
  @Operation({
    summary: 'Destroy a gallery',
    description:
      'Its keys and every template in it, for good: nothing of it is answered any more, and its keys are destroyed before the answer, or as soon as key custody can be reached (audit event key_set.destroyed). Subjects and consents stay. Where two officers can decide it, they do (POST /v1/admin/proposals), and this is refused.',
    scope: 'galleries:write',
    status: 204,
    problems: [GalleryNotFound, GalleryHoldsData, CustodianUnavailable, ApprovalRequired],
  })
  async destroy(
    @CurrentClient() clientId: ClientId,
    @Param('galleryId', IdPipe) galleryId: GalleryId,
  ): Promise<void> {
    await this.commands.execute(
      new DestroyGallery(clientId, galleryId, 'destroyed_by_client', (tx) =>
        this.commands.execute(new RequireApproval(tx, 'gallery.destroy')),
      ),
    );
  }
}
