import { AuditModule } from '#audit/audit.module';
import { Module } from '@nestjs/common';
import { ListJurisdictionsHandler } from './list-jurisdictions.js';
import { Policies } from './policies.js';
import { PublishPolicyHandler } from './publish-policy.js';

@Module({
  imports: [AuditModule],
  providers: [ListJurisdictionsHandler, Policies, PublishPolicyHandler],
  exports: [Policies],
})
export class PolicyModule {}
