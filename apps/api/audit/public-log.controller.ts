import { CheckpointNotFound, TreeSizeOutOfRange } from '#audit/audit.errors';
import { FindCheckpoint } from '#audit/find-checkpoint';
import { type ConsistencyProof, ProveConsistency } from '#audit/prove-consistency';
import { DependencyUnavailable, InvalidRequest } from '#platform/platform.errors';
import { Controller, Get, Header, Query } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiOperation, ApiProduces, ApiResponse, ApiTags } from '@nestjs/swagger';
import { ConsistencyQuery, ConsistencyResponse } from '../admin/audit-proof.dto.js';
import { Public } from '../auth/scopes.decorator.js';
import { Problems } from '../openapi/operation.decorator.js';
import { InternalError, RateLimited } from '../problem/http.errors.js';

/** What witnesses and auditors need, who have no token: sizes and hashes. */
@ApiTags('Audit log')
@Controller('audit')
@Public()
export class PublicLogController {
  constructor(private readonly queries: QueryBus) {}

  @Get('checkpoint')
  @Header('Cache-Control', 'no-cache')
  @Header('Content-Type', 'text/plain; charset=utf-8')
  @ApiProduces('text/plain')
  @ApiOperation({ summary: 'The latest checkpoint of the audit log', description: 'C2SP tlog-checkpoint.' })
  @ApiResponse({ status: 200, description: 'A signed note.' })
  @Problems(CheckpointNotFound, RateLimited, DependencyUnavailable, InternalError)
  async checkpoint(): Promise<string> {
    return (await this.queries.execute(new FindCheckpoint())).note;
  }

  @Get('key')
  @Header('Content-Type', 'text/plain; charset=utf-8')
  @ApiProduces('text/plain')
  @ApiOperation({
    summary: 'The key that signs checkpoints',
    description: 'C2SP signed-note: a verifier key.',
  })
  @ApiResponse({ status: 200, description: 'NAME+ID+KEY.' })
  @Problems(CheckpointNotFound, RateLimited, DependencyUnavailable, InternalError)
  async key(): Promise<string> {
    return `${(await this.queries.execute(new FindCheckpoint())).vkey}\n`;
  }

  @Get('consistency')
  @ApiOperation({
    summary: 'Prove to a witness that the audit log only grew',
    description: 'RFC 6962 section 2.1.2.',
  })
  @ApiResponse({ status: 200, type: ConsistencyResponse, description: 'The proof.' })
  @Problems(
    InvalidRequest,
    CheckpointNotFound,
    TreeSizeOutOfRange,
    RateLimited,
    DependencyUnavailable,
    InternalError,
  )
  consistency(@Query() { from, to }: ConsistencyQuery): Promise<ConsistencyProof> {
    return this.queries.execute(new ProveConsistency(from, to));
  }
}
