import { AuditLog } from '#audit/audit-log';
import { currentContext } from '#platform/request-context';
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { Request } from 'express';
import { DataSource } from 'typeorm';

/**
 * What an officer reads is recorded before it is answered; what an officer changes is recorded by the command itself. A
 * guard, since Nest answers a stream of events before an interceptor of it has run.
 */
@Injectable()
export class OfficerReadsGuard implements CanActivate {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<Request>();
    // Express answers HEAD by what answers GET.
    const reads = request.method === 'GET' || request.method === 'HEAD';
    if (currentContext()?.officerId !== undefined && reads) {
      // The pattern, never the path: ids of persons and what was searched for stay out.
      const details = { route: String(request.route.path) };
      await this.audit.append(this.db.manager, { type: 'officer.read', outcome: 'ok', details });
    }
    return true;
  }
}
