import { CheckpointNotFound } from '#audit/audit.errors';
import { BundleSubject, type SubjectBundle } from '#audit/bundle-subject';
import { type ErasedSubject, EraseSubject } from '#biometrics/erase-subject';
import { SubjectNotFound, SubjectReferenceTaken } from '#consent/consent.errors';
import { FindSubject, type SubjectView } from '#consent/find-subject';
import { ListSubjects } from '#consent/list-subjects';
import { RegisterSubject } from '#consent/register-subject';
import type { IdempotentRequest } from '#platform/idempotency';
import type { ClientId, SubjectId } from '#platform/ids';
import type { Page } from '#platform/page';
import { IdempotencyKeyInvalid, IdempotencyKeyReused, InvalidCursor } from '#platform/platform.errors';
import { JurisdictionUnknown } from '#policy/policy.errors';
import { Body, Controller, Delete, Get, Param, Post, Query, Res } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { BundleQuery, BundleResponse } from '../admin/audit-proof.dto.js';
import { CurrentClient } from '../auth/current-client.decorator.js';
import { Operation } from '../openapi/operation.decorator.js';
import { IdPipe } from '../request/id.pipe.js';
import { ApiIdempotencyKey, IdempotencyKey } from '../request/idempotency-key.decorator.js';
import {
  HeldErasureResponse,
  RegisterSubjectBody,
  SubjectPage,
  SubjectResponse,
  SubjectsQuery,
} from './subject.dto.js';

@ApiTags('Subjects and consent')
@Controller('v1/subjects')
export class SubjectsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Post()
  @ApiIdempotencyKey()
  @Operation({
    summary: 'Register a subject',
    description: 'A person who can consent and then be enrolled, in any of your galleries.',
    scope: 'consent:write',
    status: 201,
    response: { type: SubjectResponse, description: 'The subject.' },
    problems: [
      SubjectReferenceTaken,
      JurisdictionUnknown,
      SubjectNotFound,
      IdempotencyKeyReused,
      IdempotencyKeyInvalid,
    ],
  })
  async register(
    @CurrentClient() clientId: ClientId,
    @Body() body: RegisterSubjectBody,
    @IdempotencyKey() idempotency: IdempotentRequest | undefined,
  ): Promise<SubjectView> {
    const { id } = await this.commands.execute(new RegisterSubject(clientId, body, idempotency));
    return this.queries.execute(new FindSubject(clientId, id));
  }

  @Get()
  @Operation({
    summary: 'List subjects',
    scope: 'consent:read',
    status: 200,
    response: { type: SubjectPage, description: 'A page of subjects, oldest first.' },
    problems: [InvalidCursor],
  })
  list(
    @CurrentClient() clientId: ClientId,
    @Query() { reference, ...page }: SubjectsQuery,
  ): Promise<Page<SubjectView>> {
    return this.queries.execute(new ListSubjects(clientId, reference, page));
  }

  @Get(':subjectId')
  @Operation({
    summary: 'Read a subject',
    scope: 'consent:read',
    status: 200,
    response: { type: SubjectResponse, description: 'The subject.' },
    problems: [SubjectNotFound],
  })
  find(
    @CurrentClient() clientId: ClientId,
    @Param('subjectId', IdPipe) subjectId: SubjectId,
  ): Promise<SubjectView> {
    return this.queries.execute(new FindSubject(clientId, subjectId));
  }

  @Get(':subjectId/audit-bundle')
  @Operation({
    summary: 'Every entry that names a subject, with proofs',
    description:
      'What the audit log has about the subject, each entry with its proof, for the person to check (docs/audit.md).',
    scope: 'consent:read',
    status: 200,
    response: { type: BundleResponse, description: 'The entries in the order of the log.' },
    problems: [SubjectNotFound, CheckpointNotFound],
  })
  async auditBundle(
    @CurrentClient() clientId: ClientId,
    @Param('subjectId', IdPipe) subjectId: SubjectId,
    @Query() { fromLeaf, limit }: BundleQuery,
  ): Promise<SubjectBundle> {
    await this.queries.execute(new FindSubject(clientId, subjectId));
    return this.queries.execute(new BundleSubject(subjectId, fromLeaf, limit));
  }

  @Delete(':subjectId')
  @Operation({
    summary: 'Erase a subject',
    description:
      "Every template in every gallery, the reference, and all consents end, before the call returns. Where the policy of the subject's jurisdiction keeps the data for a time, or a hold is on it, nothing finds the subject from this answer on, and the answer says when the data is destroyed.",
    scope: 'faces:erase',
    status: 204,
    problems: [SubjectNotFound],
  })
  @ApiResponse({ status: 202, type: HeldErasureResponse, description: 'Nothing finds the subject any more.' })
  async erase(
    @CurrentClient() clientId: ClientId,
    @Param('subjectId', IdPipe) subjectId: SubjectId,
    @Res({ passthrough: true }) response: Response,
  ): Promise<ErasedSubject | undefined> {
    const erased = await this.commands.execute(new EraseSubject(clientId, subjectId));
    if (erased.destroyAfter === null) return undefined;
    response.status(202);
    return erased;
  }
}
