import { AuditModule } from '#audit/audit.module';
import { PolicyModule } from '#policy/policy.module';
import { Module } from '@nestjs/common';
import { DescribeImpactHandler } from './describe-impact.js';
import { DescribeProcessingHandler } from './describe-processing.js';
import { FactStore } from './internal/fact-store.js';
import { ProcessingInventory } from './internal/processing-inventory.js';
import { SystemReader } from './internal/system-state.js';
import { ListFactsHandler } from './list-facts.js';
import { MakeReportHandler } from './make-report.js';
import { MapControlsHandler } from './map-controls.js';
import { RecordAssessmentHandler } from './record-assessment.js';
import { ReplaceFactsHandler } from './replace-facts.js';

@Module({
  imports: [AuditModule, PolicyModule],
  providers: [
    DescribeImpactHandler,
    DescribeProcessingHandler,
    FactStore,
    ListFactsHandler,
    MakeReportHandler,
    MapControlsHandler,
    ProcessingInventory,
    RecordAssessmentHandler,
    ReplaceFactsHandler,
    SystemReader,
  ],
})
export class RecordsModule {}
