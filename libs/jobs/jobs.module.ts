import { AuditModule } from '#audit/audit.module';
import { BiometricsModule } from '#biometrics/biometrics.module';
import { ConsentModule } from '#consent/consent.module';
import { WebhooksModule } from '#webhooks/webhooks.module';
import { Module } from '@nestjs/common';
import { CancelJobHandler } from './cancel-job.js';
import { CreateJobHandler } from './create-job.js';
import { FindJobHandler } from './find-job.js';
import { FollowJobHandler } from './follow-job.js';
import { DuplicateResults } from './internal/duplicate-results.js';
import { ErasureProof } from './internal/erasure-proof.js';
import { IdentificationResults } from './internal/identification-results.js';
import { ItemPlanner } from './internal/item-planner.js';
import { ItemReader } from './internal/item-reader.js';
import { ItemSealer } from './internal/item-sealer.js';
import { JobStore } from './internal/job-store.js';
import { Spool } from './internal/spool.js';
import { JobGauges } from './job-gauges.js';
import { ListJobsHandler } from './list-jobs.js';
import { ListWorkHandler } from './list-work.js';
import { OverwriteErasedHandler } from './overwrite-erased.js';
import { PrepareJobHandler } from './prepare-job.js';
import { ReadResultsHandler } from './read-results.js';
import { SweepJobsHandler } from './sweep-jobs.js';
import { WorkChunkHandler } from './work-chunk.js';

@Module({
  imports: [AuditModule, ConsentModule, BiometricsModule, WebhooksModule],
  providers: [
    CancelJobHandler,
    CreateJobHandler,
    DuplicateResults,
    ErasureProof,
    FindJobHandler,
    FollowJobHandler,
    IdentificationResults,
    ItemPlanner,
    ItemReader,
    ItemSealer,
    JobGauges,
    JobStore,
    ListJobsHandler,
    ListWorkHandler,
    OverwriteErasedHandler,
    PrepareJobHandler,
    ReadResultsHandler,
    Spool,
    SweepJobsHandler,
    WorkChunkHandler,
  ],
})
export class JobsModule {}
