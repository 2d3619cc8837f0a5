import { DependencyUnavailable } from '#platform/platform.errors';
import { FindRetentionPolicy, type RetentionPolicy } from '#retention/find-retention-policy';
import { RetentionPolicyNotFound } from '#retention/retention.errors';
import { Controller, Get, Param, Req, Res } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiOperation, ApiProduces, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Public } from '../auth/scopes.decorator.js';
import { Problems } from '../openapi/operation.decorator.js';
import { InternalError, RateLimited } from '../problem/http.errors.js';
import { RetentionPolicyResponse } from './retention-policy.dto.js';
import { retentionPolicyPage } from './retention-policy.page.js';

@ApiTags('Subjects and consent')
@Controller('policies')
@Public()
export class PublicPoliciesController {
  constructor(private readonly queries: QueryBus) {}

  @Get(':jurisdiction/retention')
  @ApiProduces('application/json', 'text/html')
  @ApiOperation({
    summary: 'The retention policy, for everybody',
    description: '740 ILCS 14/15(a). As JSON, or as a page where Accept prefers text/html.',
  })
  @ApiResponse({ status: 200, type: RetentionPolicyResponse, description: 'The policy that is in force.' })
  @Problems(RetentionPolicyNotFound, RateLimited, DependencyUnavailable, InternalError)
  async retention(
    @Param('jurisdiction') jurisdiction: string,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<RetentionPolicy | string> {
    const policy = await this.queries.execute(new FindRetentionPolicy(jurisdiction));
    response.vary('Accept');
    if (request.accepts(['json', 'html']) !== 'html') return policy;
    response.type('html');
    return retentionPolicyPage(policy);
  }
}
