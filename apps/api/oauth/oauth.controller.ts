import { InvalidGrantRequest, OAUTH_ERRORS, UnsupportedGrantType } from '#auth/auth.errors';
import { type IntrospectionResponse, IntrospectToken } from '#auth/introspect-token';
import { IssueToken, type TokenResponse } from '#auth/issue-token';
import { RevokeToken } from '#auth/revoke-token';
import { Body, Controller, Header, HttpCode, Post, Req } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiBody, ApiConsumes, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Request } from 'express';
import { Public } from '../auth/scopes.decorator.js';
import { LimitShare, PASSWORD_SHARE } from '../rate-limit/rate-limit.guards.js';
import { formOf, presentedCredentials } from './client-credentials.js';
import {
  IntrospectionBody,
  OAuthErrorBody,
  TokenArgumentForm,
  TokenForm,
  TokenResponseBody,
} from './oauth.dto.js';

const codes = (status: number): string =>
  OAUTH_ERRORS.filter(({ problem }) => problem.status === status)
    .map(({ problem }) => `\`${problem.code}\``)
    .join(', ');

@ApiTags('OAuth 2')
@Controller('oauth')
@Public()
@ApiResponse({ status: 400, type: OAuthErrorBody, description: codes(400) })
@ApiResponse({ status: 401, type: OAuthErrorBody, description: codes(401) })
@ApiResponse({ status: 429, description: '`rate_limited`, as problem+json.' })
@ApiResponse({ status: 503, description: '`dependency_unavailable`, as problem+json.' })
export class OAuthController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Post('token')
  @HttpCode(200)
  @LimitShare(PASSWORD_SHARE)
  @Header('Cache-Control', 'no-store')
  @ApiOperation({ summary: 'Get an access token', description: 'RFC 6749 section 4.4, client credentials.' })
  @ApiConsumes('application/x-www-form-urlencoded')
  @ApiBody({ type: TokenForm })
  @ApiResponse({ status: 200, type: TokenResponseBody })
  async token(@Req() request: Request, @Body() body: unknown): Promise<TokenResponse> {
    const form = formOf(body);
    const { grant_type: grantType, scope } = form;
    if (grantType === undefined) throw new InvalidGrantRequest();
    if (grantType !== 'client_credentials') throw new UnsupportedGrantType();
    return this.commands.execute(new IssueToken(presentedCredentials(request, form), scope));
  }

  @Post('revoke')
  @HttpCode(200)
  @LimitShare(PASSWORD_SHARE)
  @ApiOperation({ summary: 'Revoke an access token', description: 'RFC 7009.' })
  @ApiConsumes('application/x-www-form-urlencoded')
  @ApiBody({ type: TokenArgumentForm })
  @ApiResponse({ status: 200, description: 'The token is not valid any more, if it ever was.' })
  async revoke(@Req() request: Request, @Body() body: unknown): Promise<void> {
    const form = formOf(body);
    if (form['token'] === undefined) throw new InvalidGrantRequest();
    await this.commands.execute(new RevokeToken(presentedCredentials(request, form), form['token']));
  }

  @Post('introspect')
  @HttpCode(200)
  @LimitShare(PASSWORD_SHARE)
  @Header('Cache-Control', 'no-store')
  @ApiOperation({ summary: 'Ask whether a token is valid', description: 'RFC 7662.' })
  @ApiConsumes('application/x-www-form-urlencoded')
  @ApiBody({ type: TokenArgumentForm })
  @ApiResponse({ status: 200, type: IntrospectionBody })
  async introspect(@Req() request: Request, @Body() body: unknown): Promise<IntrospectionResponse> {
    const form = formOf(body);
    if (form['token'] === undefined) throw new InvalidGrantRequest();
    return this.queries.execute(new IntrospectToken(presentedCredentials(request, form), form['token']));
  }
}
