import { GalleryNotFound } from '#biometrics/biometrics.errors';
import { CreateJob } from '#jobs/create-job';
import { FindJob } from '#jobs/find-job';
import type { JobSettings, JobView } from '#jobs/job';
import {
  JobInputCutOff,
  JobInputEmpty,
  JobInputTooLarge,
  JobInputUnsupported,
  JobStorageFull,
  TooManyJobs,
} from '#jobs/jobs.errors';
import type { IdempotentRequest } from '#platform/idempotency';
import type { ClientId, GalleryId } from '#platform/ids';
import { IdempotencyKeyInvalid, IdempotencyKeyReused, InvalidRequest } from '#platform/platform.errors';
import { Controller, Param, Post, Query, Req, Res } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { CurrentClient } from '../auth/current-client.decorator.js';
import { requireScopes } from '../auth/require-scopes.js';
import { Operation } from '../openapi/operation.decorator.js';
import { IdPipe } from '../request/id.pipe.js';
import { ApiIdempotencyKey, IdempotencyKey } from '../request/idempotency-key.decorator.js';
import { CreateJobQuery, JobResponse } from './job.dto.js';
import { ApiJobInput, inputOf, JOB_INPUT } from './job-input.js';
import { JOB_SCOPES } from './job-scopes.js';

@ApiTags('Jobs')
@Controller('v1/galleries/:galleryId/jobs')
export class GalleryJobsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Post()
  @ApiIdempotencyKey()
  @ApiJobInput()
  @Operation({
    summary: 'Start a bulk job',
    description: `Stores the input, encrypted, and answers; the work is done by the worker and survives restarts of everything. A \`deduplicate\` has no input. Of \`erase\` the subjects are erased from all galleries. Besides \`jobs:write\` the client needs the scope of the single call: \`faces:enrol\`, \`faces:identify\` or \`faces:erase\`; for \`re-embed\` both \`faces:enrol\` and \`faces:erase\`.\n\n${JOB_INPUT}`,
    scope: 'jobs:write',
    status: 201,
    response: { type: JobResponse, description: 'The job.' },
    problems: [
      GalleryNotFound,
      JobInputUnsupported,
      JobInputTooLarge,
      JobInputEmpty,
      JobInputCutOff,
      JobStorageFull,
      TooManyJobs,
      IdempotencyKeyReused,
      IdempotencyKeyInvalid,
    ],
  })
  async create(
    @CurrentClient() clientId: ClientId,
    @Param('galleryId', IdPipe) galleryId: GalleryId,
    @Query() query: CreateJobQuery,
    @IdempotencyKey() idempotency: IdempotentRequest | undefined,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<JobView> {
    requireScopes(JOB_SCOPES[query.type], response);
    const job = {
      type: query.type,
      settings: settingsOf(query),
      input: inputOf(request, query.type),
    };
    const { id } = await this.commands.execute(new CreateJob(clientId, galleryId, job, idempotency));
    return this.queries.execute(new FindJob(clientId, id));
  }
}

function settingsOf({ type, topK, replaces }: CreateJobQuery): JobSettings {
  if (topK !== undefined && type !== 'identify') throw misplaced('topK', 'belongs to identify alone');
  if (type === 're-embed') {
    if (replaces === undefined) throw misplaced('replaces', 'must name a gallery');
    return { topK: 1, replaces };
  }
  if (replaces !== undefined) throw misplaced('replaces', 'belongs to re-embed alone');
  return { topK: topK ?? 1 };
}

function misplaced(field: string, message: string): InvalidRequest {
  return new InvalidRequest([{ field, message }]);
}
