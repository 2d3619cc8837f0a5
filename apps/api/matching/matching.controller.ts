import {
  GalleryNotFound,
  SAMPLE_ERRORS,
  SubjectNotEnrolled,
  TemplateTampered,
} from '#biometrics/biometrics.errors';
import { type Identification, IdentifySubject } from '#biometrics/identify-subject';
import { type Verification, VerifySubject } from '#biometrics/verify-subject';
import { ConsentRequired, ProcessingRestricted, SubjectNotFound } from '#consent/consent.errors';
import {
  CustodianUnavailable,
  KeySetNotFound,
  OpeningsLimited,
  SubjectOpeningsLimited,
} from '#custody/custody.errors';
import type { ClientId, GalleryId, SubjectId } from '#platform/ids';
import { Body, Controller, Param, Post, UseInterceptors } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import { CurrentClient } from '../auth/current-client.decorator.js';
import { EXAMPLE_EMBEDDING } from '../openapi/examples.js';
import { Operation } from '../openapi/operation.decorator.js';
import { PhotoBody } from '../openapi/photo-body.decorator.js';
import { BodyTooLarge, MalformedBody, UnsupportedMediaType } from '../problem/http.errors.js';
import { IdPipe } from '../request/id.pipe.js';
import { PhotoUploadInterceptor } from '../request/photo-upload.interceptor.js';
import { UploadedPhotos } from '../request/uploaded-photos.decorator.js';
import {
  IdentificationResponse,
  IdentifyBody,
  ProbeBody,
  sampleOf,
  VerificationResponse,
} from './sample.dto.js';

const PROBE_PROBLEMS = [
  GalleryNotFound,
  TemplateTampered,
  KeySetNotFound,
  CustodianUnavailable,
  OpeningsLimited,
  ...SAMPLE_ERRORS,
  MalformedBody,
  BodyTooLarge,
  UnsupportedMediaType,
];

@ApiTags('Faces')
@Controller('v1/galleries/:galleryId')
@UseInterceptors(new PhotoUploadInterceptor(1))
export class MatchingController {
  constructor(private readonly commands: CommandBus) {}

  @Post('subjects/:subjectId/verify')
  @PhotoBody(ProbeBody, 'photo', { embedding: EXAMPLE_EMBEDDING })
  @Operation({
    summary: 'Verify a subject (1:1)',
    description: 'Is this the face of that subject? Compared while encrypted; the answer tells no score.',
    scope: 'faces:verify',
    status: 200,
    response: { type: VerificationResponse, description: 'Whether the face matches.' },
    problems: [
      SubjectNotFound,
      SubjectNotEnrolled,
      ConsentRequired,
      ProcessingRestricted,
      SubjectOpeningsLimited,
      ...PROBE_PROBLEMS,
    ],
  })
  verify(
    @CurrentClient() clientId: ClientId,
    @Param('galleryId', IdPipe) galleryId: GalleryId,
    @Param('subjectId', IdPipe) subjectId: SubjectId,
    @Body() { photo, embedding }: ProbeBody,
    @UploadedPhotos() files: Uint8Array<ArrayBuffer>[],
  ): Promise<Verification> {
    const sample = sampleOf(files, photo === undefined ? undefined : [photo], embedding, 1);
    return this.commands.execute(new VerifySubject(clientId, galleryId, subjectId, sample));
  }

  @Post('identify')
  @PhotoBody(IdentifyBody, 'photo', { embedding: EXAMPLE_EMBEDDING, topK: 1 })
  @Operation({
    summary: 'Identify a face (1:N)',
    description: 'Whose face is this? Only subjects with a valid consent can be named.',
    scope: 'faces:identify',
    status: 200,
    response: { type: IdentificationResponse, description: 'The subjects above the threshold, best first.' },
    problems: PROBE_PROBLEMS,
  })
  identify(
    @CurrentClient() clientId: ClientId,
    @Param('galleryId', IdPipe) galleryId: GalleryId,
    @Body() { photo, embedding, topK }: IdentifyBody,
    @UploadedPhotos() files: Uint8Array<ArrayBuffer>[],
  ): Promise<Identification> {
    const sample = sampleOf(files, photo === undefined ? undefined : [photo], embedding, 1);
    return this.commands.execute(new IdentifySubject(clientId, galleryId, sample, topK));
  }
}
