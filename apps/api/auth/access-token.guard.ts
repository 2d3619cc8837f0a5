import { InsufficientScope, Unauthenticated } from '#auth/auth.errors';
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request, Response } from 'express';
import { requireScopes } from './require-scopes.js';
import { currentOfficer } from './current-officer.decorator.js';
import { ANY_OFFICER, REQUIRED_SCOPES, type RequiredScopes } from './scopes.decorator.js';
import { TokenAdmission } from './token-admission.js';

/** Closed by default: a route that declares neither scopes nor @Public() lets nobody in. */
@Injectable()
export class AccessTokenGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly admission: TokenAdmission,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const targets = [context.getHandler(), context.getClass()];
    const required = this.reflector.getAllAndOverride<RequiredScopes | undefined>(REQUIRED_SCOPES, targets);
    if (required === undefined) throw new InsufficientScope();
    if (required.length === 0) return true;
    const http = context.switchToHttp();
    const presented = bearerToken(http.getRequest<Request>());
    if (presented === undefined) throw new Unauthenticated();
    await this.admission.admit(presented);
    if (required === ANY_OFFICER) currentOfficer();
    else requireScopes(required, http.getResponse<Response>());
    return true;
  }
}

/** RFC 6750 section 2.1. */
export function bearerToken(request: Request): string | undefined {
  return /^Bearer ([\w.~+/-]+=*)$/i.exec(request.headers.authorization ?? '')?.[1];
}
