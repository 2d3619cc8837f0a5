import { Module } from '@nestjs/common';
import { ListJurisdictionsHandler } from './list-jurisdictions.js';
import { Policies } from './policies.js';

@Module({
  providers: [ListJurisdictionsHandler, Policies],
  exports: [Policies],
})
export class PolicyModule {}
