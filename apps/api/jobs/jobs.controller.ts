import { CancelJob } from '#jobs/cancel-job';
import { FindJob } from '#jobs/find-job';
import { FollowJob } from '#jobs/follow-job';
import type { JobView } from '#jobs/job';
import { JobNotFound } from '#jobs/jobs.errors';
import { ListJobs } from '#jobs/list-jobs';
import { ReadResults } from '#jobs/read-results';
import type { ClientId, JobId } from '#platform/ids';
import type { Page } from '#platform/page';
import { InvalidCursor } from '#platform/platform.errors';
import {
  Controller,
  Get,
  type MessageEvent,
  Param,
  Post,
  Query,
  Res,
  Sse,
  StreamableFile,
} from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiProduces, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { Readable } from 'node:stream';
import { from, type Observable } from 'rxjs';
import { CurrentClient } from '../auth/current-client.decorator.js';
import { Operation } from '../openapi/operation.decorator.js';
import { TooManyStreams } from '../problem/http.errors.js';
import { IdPipe } from '../request/id.pipe.js';
import { OpenStreams } from '../request/open-streams.js';
import { PageQuery } from '../request/page.dto.js';
import { JobPage, JobResponse, ResultsQuery } from './job.dto.js';
import { eventsOf, linesOf } from './job-streams.js';

@ApiTags('Jobs')
@Controller('v1/jobs')
export class JobsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
    private readonly streams: OpenStreams,
  ) {}

  @Get()
  @Operation({
    summary: 'List jobs',
    scope: 'jobs:read',
    status: 200,
    response: { type: JobPage, description: 'A page of jobs, newest first.' },
    problems: [InvalidCursor],
  })
  list(@CurrentClient() clientId: ClientId, @Query() page: PageQuery): Promise<Page<JobView>> {
    return this.queries.execute(new ListJobs(clientId, page));
  }

  @Get(':jobId')
  @Operation({
    summary: 'Read a job',
    scope: 'jobs:read',
    status: 200,
    response: { type: JobResponse, description: 'How far the job is.' },
    problems: [JobNotFound],
  })
  find(@CurrentClient() clientId: ClientId, @Param('jobId', IdPipe) jobId: JobId): Promise<JobView> {
    return this.queries.execute(new FindJob(clientId, jobId));
  }

  @Sse(':jobId/events')
  @ApiProduces('text/event-stream')
  @Operation({
    summary: 'Follow a job',
    description:
      'Server-sent events: `progress` with the job as `GET /v1/jobs/{jobId}` answers it, whenever it changed, and `end` once it is over.',
    scope: 'jobs:read',
    status: 200,
    problems: [JobNotFound, TooManyStreams],
  })
  async follow(
    @CurrentClient() clientId: ClientId,
    @Param('jobId', IdPipe) jobId: JobId,
    @Res() response: Response,
  ): Promise<Observable<MessageEvent>> {
    const signal = this.streams.signalOf(response);
    return from(eventsOf(await this.queries.execute(new FollowJob(clientId, jobId, signal))));
  }

  @Get(':jobId/results')
  @ApiProduces('application/x-ndjson')
  @Operation({
    summary: 'Read the results of a job',
    description:
      'NDJSON, a line for each item that has ended, in the order of the input, up to the first that has not: `{item, outcome, code?, cursor, …}`. Go on from the `cursor` of the last line. Of `deduplicate`, once it has ended, a line for each group of subjects who may be one person: `{subjects, pairs, cursor}`.',
    scope: 'jobs:read',
    status: 200,
    problems: [JobNotFound, InvalidCursor],
  })
  async results(
    @CurrentClient() clientId: ClientId,
    @Param('jobId', IdPipe) jobId: JobId,
    @Query() { cursor }: ResultsQuery,
  ): Promise<StreamableFile> {
    const results = await this.queries.execute(new ReadResults(clientId, jobId, cursor));
    return new StreamableFile(Readable.from(linesOf(results)), { type: 'application/x-ndjson' });
  }

  @Post(':jobId/cancel')
  @Operation({
    summary: 'Cancel a job',
    description:
      'Items that ended stay ended; none is begun after this answer. A job that is over stays as it is.',
    scope: 'jobs:write',
    status: 200,
    response: { type: JobResponse, description: 'The job.' },
    problems: [JobNotFound],
  })
  async cancel(@CurrentClient() clientId: ClientId, @Param('jobId', IdPipe) jobId: JobId): Promise<JobView> {
    await this.commands.execute(new CancelJob(clientId, jobId));
    return this.queries.execute(new FindJob(clientId, jobId));
  }
}
