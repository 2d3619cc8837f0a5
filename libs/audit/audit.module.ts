import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuditLog } from './audit-log.js';
import { AppendOnlyRole } from './internal/append-only-role.js';
import { AuditEvent } from './internal/audit-event.entity.js';
import { ListAuditEventsHandler } from './list-audit-events.js';

@Module({
  imports: [TypeOrmModule.forFeature([AuditEvent])],
  providers: [AppendOnlyRole, AuditLog, ListAuditEventsHandler],
  exports: [AuditLog],
})
export class AuditModule {}
