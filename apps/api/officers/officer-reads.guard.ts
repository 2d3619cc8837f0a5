import { AuditLog } from '#audit/audit-log';
import { currentContext } from '#platform/request-context';
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request } from 'express';
import { DataSource } from 'typeorm';
import { REQUIRED_SCOPES, type RequiredScopes } from '../auth/scopes.decorator.js';
import { isRead } from './is-read.js';

/**
 * What an officer reads is recorded before it is answered, and so is what a client reads under /v1/admin; what they change
 * is recorded by the command itself. A guard, since Nest answers a stream of events before an interceptor of it has run.
 */
@Injectable()
export class OfficerReadsGuard implements CanActivate {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
    private readonly reflector: Reflector,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<Request>();
    if (!isRead(request)) return true;
    const type = this.typeOf(context, request);
    if (type === undefined) return true;
    // The pattern, never the path: ids of persons and what was searched for stay out.
    const details = { route: String(request.route.path) };
    await this.audit.append(this.db.manager, { type, outcome: 'ok', details });
    return true;
  }

  private typeOf(context: ExecutionContext, request: Request): 'officer.read' | 'admin.read' | undefined {
    if (currentContext()?.officerId !== undefined) return 'officer.read';
    if (!String(request.route.path).startsWith('/v1/admin/')) return undefined;
    const targets = [context.getHandler(), context.getClass()];
    const scopes = this.reflector.getAllAndOverride<RequiredScopes | undefined>(REQUIRED_SCOPES, targets);
    // A client that follows the log would write the log that it follows.
    return scopes?.includes('admin:audit') ? undefined : 'admin.read';
  }
}
