import { AuditModule } from '#audit/audit.module';
import { Module } from '@nestjs/common';
import { FindKeyUseHandler } from './find-key-use.js';
import { KeyGauges } from './key-gauges.js';
import { ResealValuesHandler } from './reseal-values.js';

@Module({
  imports: [AuditModule],
  providers: [FindKeyUseHandler, KeyGauges, ResealValuesHandler],
})
export class RotationModule {}
