import { AuditModule } from '#audit/audit.module';
import { ConsentModule } from '#consent/consent.module';
import { Module } from '@nestjs/common';
import { CheckKeysHandler } from './check-keys.js';
import { ShuttingOutAgain } from './internal/shutting-out.js';
import { JournalGauges } from './journal-gauges.js';
import { NoteBackupsHandler } from './note-backups.js';
import { ReapplyErasuresHandler } from './reapply-erasures.js';
import { ShipErasuresHandler } from './ship-erasures.js';

@Module({
  imports: [AuditModule, ConsentModule],
  providers: [
    CheckKeysHandler,
    JournalGauges,
    NoteBackupsHandler,
    ReapplyErasuresHandler,
    ShipErasuresHandler,
    ShuttingOutAgain,
  ],
})
export class BackupModule {}
