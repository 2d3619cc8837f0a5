import { AuditModule } from '#audit/audit.module';
import { Module } from '@nestjs/common';
import { KeyGauges } from './key-gauges.js';
import { ResealValuesHandler } from './reseal-values.js';

/** What the worker does for it. */
@Module({ imports: [AuditModule], providers: [KeyGauges, ResealValuesHandler] })
export class ResealingModule {}
