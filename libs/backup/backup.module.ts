import { AuditModule } from '#audit/audit.module';
import { ConsentModule } from '#consent/consent.module';
import { Module } from '@nestjs/common';
import { CheckKeysHandler } from './check-keys.js';
import { JournalGauges } from './journal-gauges.js';
import { ReapplyErasuresHandler } from './reapply-erasures.js';
import { ShipErasuresHandler } from './ship-erasures.js';

@Module({
  imports: [AuditModule, ConsentModule],
  providers: [CheckKeysHandler, JournalGauges, ReapplyErasuresHandler, ShipErasuresHandler],
})
export class BackupModule {}
