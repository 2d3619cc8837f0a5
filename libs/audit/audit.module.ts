import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuditGauges } from './audit-gauges.js';
import { AuditLog } from './audit-log.js';
import { BundleSubjectHandler } from './bundle-subject.js';
import { CheckLogHandler } from './check-log.js';
import { ExportAuditLogHandler } from './export-audit-log.js';
import { FindCheckpointHandler } from './find-checkpoint.js';
import { ForgetErasedHandler } from './forget-erased.js';
import { AppendOnlyRole } from './internal/append-only-role.js';
import { AuditEvent } from './internal/audit-event.entity.js';
import { ReceiptsAtCommit } from './internal/receipts.js';
import { ListAuditEventsHandler } from './list-audit-events.js';
import { ListCheckpointsHandler } from './list-checkpoints.js';
import { ProveConsistencyHandler } from './prove-consistency.js';
import { ProveInclusionHandler } from './prove-inclusion.js';
import { SequenceEntriesHandler } from './sequence-entries.js';

@Module({
  imports: [TypeOrmModule.forFeature([AuditEvent])],
  providers: [
    AppendOnlyRole,
    AuditGauges,
    AuditLog,
    BundleSubjectHandler,
    CheckLogHandler,
    ExportAuditLogHandler,
    FindCheckpointHandler,
    ForgetErasedHandler,
    ListAuditEventsHandler,
    ListCheckpointsHandler,
    ProveConsistencyHandler,
    ProveInclusionHandler,
    ReceiptsAtCommit,
    SequenceEntriesHandler,
  ],
  exports: [AuditLog],
})
export class AuditModule {}
