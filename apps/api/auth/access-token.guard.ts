import { AccessTokens } from '#auth/access-tokens';
import { InsufficientScope, Unauthenticated } from '#auth/auth.errors';
import { Denylist } from '#auth/denylist';
import type { Scope } from '#auth/scopes';
import { currentContext } from '#platform/request-context';
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request, Response } from 'express';
import { requireScopes } from './require-scopes.js';
import { REQUIRED_SCOPES } from './scopes.decorator.js';

/** Closed by default: a route that declares neither scopes nor @Public() lets nobody in. */
@Injectable()
export class AccessTokenGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly tokens: AccessTokens,
    private readonly denylist: Denylist,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const targets = [context.getHandler(), context.getClass()];
    const required = this.reflector.getAllAndOverride<readonly Scope[] | undefined>(REQUIRED_SCOPES, targets);
    if (required === undefined) throw new InsufficientScope();
    if (required.length === 0) return true;
    const http = context.switchToHttp();
    const token = await this.tokens.verify(bearer(http.getRequest<Request>()));
    if (await this.denylist.isDenied(token.jti, token.clientId)) throw new Unauthenticated();
    const request = currentContext();
    if (request !== undefined) {
      request.clientId = token.clientId;
      request.scopes = token.scopes;
    }
    requireScopes(required, http.getResponse<Response>());
    return true;
  }
}

function bearer(request: Request): string {
  const match = /^Bearer ([\w.~+/-]+=*)$/i.exec(request.headers.authorization ?? '');
  if (match?.[1] === undefined) throw new Unauthenticated();
  return match[1];
}
