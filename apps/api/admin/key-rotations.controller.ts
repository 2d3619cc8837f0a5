import { ApprovalRequired } from '#approvals/approvals.errors';
import { RequireApproval } from '#approvals/require-approval';
import { GalleryNotFound, KeyRotationNotFound, KeyRotationUnderWay } from '#biometrics/biometrics.errors';
import { FindKeyRotation, type KeyRotationView, ListKeyRotations } from '#biometrics/list-key-rotations';
import { StartKeyRotation } from '#biometrics/start-key-rotation';
import type { IdempotentRequest } from '#platform/idempotency';
import type { GalleryId, KeyRotationId } from '#platform/ids';
import type { Page } from '#platform/page';
import { IdempotencyKeyInvalid, IdempotencyKeyReused, InvalidCursor } from '#platform/platform.errors';
import { Controller, Get, Param, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import { Operation } from '../openapi/operation.decorator.js';
import { IdPipe } from '../request/id.pipe.js';
import { ApiIdempotencyKey, IdempotencyKey } from '../request/idempotency-key.decorator.js';
import { PageQuery } from '../request/page.dto.js';
import { KeyRotationPage, KeyRotationResponse } from './key-rotation.dto.js';

@ApiTags('Administration')
@Controller('v1/admin/galleries/:galleryId/key-rotations')
export class KeyRotationsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Post()
  @ApiIdempotencyKey()
  @Operation({
    summary: 'Give a gallery new keys',
    description:
      'Its sealed templates move under keys made anew, inside of key custody, while it is in use; then the old keys are destroyed. Where two officers can decide it, they do (POST /v1/admin/proposals, `gallery.rotate_keys`), and this is refused.',
    scope: 'admin:keys',
    status: 201,
    response: { type: KeyRotationResponse, description: 'The rotation, which a worker carries out.' },
    problems: [
      GalleryNotFound,
      KeyRotationUnderWay,
      ApprovalRequired,
      IdempotencyKeyReused,
      IdempotencyKeyInvalid,
    ],
  })
  async start(
    @Param('galleryId', IdPipe) galleryId: GalleryId,
    @IdempotencyKey() idempotency: IdempotentRequest | undefined,
  ): Promise<KeyRotationView> {
    const { id } = await this.commands.execute(
      new StartKeyRotation(galleryId, idempotency, (tx) =>
        this.commands.execute(new RequireApproval(tx, 'gallery.rotate_keys')),
      ),
    );
    return this.queries.execute(new FindKeyRotation(galleryId, id));
  }

  @Get()
  @Operation({
    summary: "List the rotations of a gallery's keys",
    description: 'Also of a gallery that is destroyed.',
    scope: 'admin:keys',
    status: 200,
    response: { type: KeyRotationPage, description: 'A page of rotations, newest first.' },
    problems: [InvalidCursor],
  })
  list(
    @Param('galleryId', IdPipe) galleryId: GalleryId,
    @Query() page: PageQuery,
  ): Promise<Page<KeyRotationView>> {
    return this.queries.execute(new ListKeyRotations(galleryId, page));
  }

  @Get(':rotationId')
  @Operation({
    summary: "Follow a rotation of a gallery's keys",
    description: 'How far it is, when it is expected to end, and the records that prove it.',
    scope: 'admin:keys',
    status: 200,
    response: { type: KeyRotationResponse, description: 'The rotation.' },
    problems: [KeyRotationNotFound],
  })
  find(
    @Param('galleryId', IdPipe) galleryId: GalleryId,
    @Param('rotationId', IdPipe) rotationId: KeyRotationId,
  ): Promise<KeyRotationView> {
    return this.queries.execute(new FindKeyRotation(galleryId, rotationId));
  }
}
