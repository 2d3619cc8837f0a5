import { AuditModule } from '#audit/audit.module';
import { ConsentModule } from '#consent/consent.module';
import { PolicyModule } from '#policy/policy.module';
import { WebhooksModule } from '#webhooks/webhooks.module';
import { Module } from '@nestjs/common';
import { ApplyRetentionHandler } from './apply-retention.js';
import { FindRetentionPolicyHandler } from './find-retention-policy.js';
import { InactivityNotices } from './internal/inactivity-notices.js';
import { ListDueHandler } from './list-due.js';
import { FindHoldHandler, ListHoldsHandler } from './list-holds.js';
import { ListRunsHandler } from './list-runs.js';
import { PlaceHoldHandler } from './place-hold.js';
import { ReleaseHoldHandler } from './release-hold.js';
import { ScheduleDestructionHandler } from './schedule-destruction.js';
import { TakeErasureNoticesHandler } from './take-erasure-notices.js';

@Module({
  imports: [AuditModule, ConsentModule, PolicyModule, WebhooksModule],
  providers: [
    ApplyRetentionHandler,
    FindHoldHandler,
    FindRetentionPolicyHandler,
    InactivityNotices,
    ListDueHandler,
    ListHoldsHandler,
    ListRunsHandler,
    PlaceHoldHandler,
    ReleaseHoldHandler,
    ScheduleDestructionHandler,
    TakeErasureNoticesHandler,
  ],
})
export class RetentionModule {}
