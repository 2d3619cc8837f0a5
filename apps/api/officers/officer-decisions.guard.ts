import { OfficerDirectory } from '#officers/officer-directory';
import { OfficerRequired } from '#officers/officers.errors';
import type { Config } from '#platform/config';
import { CONFIG } from '#platform/platform.module';
import { currentContext } from '#platform/request-context';
import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request } from 'express';
import { DataSource } from 'typeorm';
import { REQUIRED_SCOPES, type RequiredScopes } from '../auth/scopes.decorator.js';
import { isRead } from './is-read.js';

/** Cases, holds, incidents and records are for persons to decide: where there is an officer, no client does. */
@Injectable()
export class OfficerDecisionsGuard implements CanActivate {
  constructor(
    private readonly db: DataSource,
    private readonly officers: OfficerDirectory,
    private readonly reflector: Reflector,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (isRead(context.switchToHttp().getRequest<Request>())) return true;
    const targets = [context.getHandler(), context.getClass()];
    const scopes = this.reflector.getAllAndOverride<RequiredScopes | undefined>(REQUIRED_SCOPES, targets);
    if (!scopes?.includes('admin:compliance') || currentContext()?.officerId !== undefined) return true;
    if (this.config.requireOfficers || (await this.officers.hasAny(this.db.manager)))
      throw new OfficerRequired();
    return true;
  }
}
