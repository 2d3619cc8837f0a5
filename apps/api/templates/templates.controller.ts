import { MOST_PHOTOS } from '#biometrics/biometric-sample';
import {
  GalleryNotFound,
  SAMPLE_ERRORS,
  TemplateNotFound,
  TemplateOnHold,
  TemplateTampered,
  TooManyTemplates,
} from '#biometrics/biometrics.errors';
import { type Enrolled, EnrolTemplate } from '#biometrics/enrol-template';
import { EraseTemplate } from '#biometrics/erase-template';
import { ListTemplates, type TemplateView } from '#biometrics/list-templates';
import { ConsentRequired, ProcessingRestricted, SubjectNotFound } from '#consent/consent.errors';
import { CustodianUnavailable, KeySetNotFound } from '#custody/custody.errors';
import type { IdempotentRequest } from '#platform/idempotency';
import type { ClientId, GalleryId, SubjectId, TemplateId } from '#platform/ids';
import { IdempotencyKeyInvalid, IdempotencyKeyReused } from '#platform/platform.errors';
import { Body, Controller, Delete, Get, Param, Post, UseInterceptors } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import { CurrentClient } from '../auth/current-client.decorator.js';
import { EnrolBody, sampleOf } from '../matching/sample.dto.js';
import { EXAMPLE_EMBEDDING } from '../openapi/examples.js';
import { Operation } from '../openapi/operation.decorator.js';
import { PhotoBody } from '../openapi/photo-body.decorator.js';
import { BodyTooLarge, MalformedBody, UnsupportedMediaType } from '../problem/http.errors.js';
import { IdPipe } from '../request/id.pipe.js';
import { ApiIdempotencyKey, IdempotencyKey } from '../request/idempotency-key.decorator.js';
import { PhotoUploadInterceptor } from '../request/photo-upload.interceptor.js';
import { UploadedPhotos } from '../request/uploaded-photos.decorator.js';
import { EnrolledResponse, TemplateResponse } from './template.dto.js';

@ApiTags('Faces')
@Controller('v1/galleries/:galleryId/subjects/:subjectId/templates')
export class TemplatesController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Post()
  @UseInterceptors(new PhotoUploadInterceptor(MOST_PHOTOS))
  @ApiIdempotencyKey()
  @PhotoBody(EnrolBody, 'photos', { embedding: EXAMPLE_EMBEDDING })
  @Operation({
    summary: 'Enrol a subject',
    description:
      'Makes a template from one to five photographs, or from an embedding, and seals it. Photographs are not stored.',
    scope: 'faces:enrol',
    status: 201,
    response: { type: EnrolledResponse, description: 'The sealed template.' },
    problems: [
      GalleryNotFound,
      SubjectNotFound,
      ConsentRequired,
      ProcessingRestricted,
      KeySetNotFound,
      CustodianUnavailable,
      TemplateTampered,
      TooManyTemplates,
      ...SAMPLE_ERRORS,
      MalformedBody,
      BodyTooLarge,
      UnsupportedMediaType,
      IdempotencyKeyReused,
      IdempotencyKeyInvalid,
    ],
  })
  enrol(
    @CurrentClient() clientId: ClientId,
    @Param('galleryId', IdPipe) galleryId: GalleryId,
    @Param('subjectId', IdPipe) subjectId: SubjectId,
    @Body() { photos, embedding }: EnrolBody,
    @UploadedPhotos() files: Uint8Array<ArrayBuffer>[],
    @IdempotencyKey() idempotency: IdempotentRequest | undefined,
  ): Promise<Enrolled> {
    const sample = sampleOf(files, photos, embedding, MOST_PHOTOS);
    return this.commands.execute(new EnrolTemplate(clientId, galleryId, subjectId, sample, idempotency));
  }

  @Get()
  @Operation({
    summary: "List a subject's templates",
    description: 'At most ten; what is sealed in them is never shown.',
    scope: 'faces:enrol',
    status: 200,
    response: { type: TemplateResponse, isArray: true, description: 'The templates, oldest first.' },
    problems: [GalleryNotFound, SubjectNotFound],
  })
  list(
    @CurrentClient() clientId: ClientId,
    @Param('galleryId', IdPipe) galleryId: GalleryId,
    @Param('subjectId', IdPipe) subjectId: SubjectId,
  ): Promise<readonly TemplateView[]> {
    return this.queries.execute(new ListTemplates(clientId, galleryId, subjectId));
  }

  @Delete(':templateId')
  @Operation({
    summary: 'Erase a template',
    scope: 'faces:erase',
    status: 204,
    problems: [GalleryNotFound, TemplateNotFound, TemplateOnHold],
  })
  erase(
    @CurrentClient() clientId: ClientId,
    @Param('galleryId', IdPipe) galleryId: GalleryId,
    @Param('subjectId', IdPipe) subjectId: SubjectId,
    @Param('templateId', IdPipe) templateId: TemplateId,
  ): Promise<void> {
    return this.commands.execute(new EraseTemplate(clientId, galleryId, subjectId, templateId));
  }
}
