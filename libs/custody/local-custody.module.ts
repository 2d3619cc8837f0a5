import type { CustodyConfig } from '#platform/config';
import { CONFIG } from '#platform/platform.module';
import { Module, type OnApplicationShutdown } from '@nestjs/common';
import { CustodyDatabase } from './custody-database.js';
import { CustodyGauges } from './custody-gauges.js';
import { KeyCustodian } from './key-custodian.js';
import { LocalKeyCustodian } from './local-key-custodian.js';

/** Custody in this process: the custodian's, or in development that of everybody. */
@Module({
  providers: [
    {
      provide: CustodyDatabase,
      useFactory: (config: CustodyConfig) => CustodyDatabase.connect(config),
      inject: [CONFIG],
    },
    { provide: KeyCustodian, useClass: LocalKeyCustodian },
    CustodyGauges,
  ],
  exports: [KeyCustodian],
})
export class LocalCustodyModule implements OnApplicationShutdown {
  constructor(private readonly db: CustodyDatabase) {}

  async onApplicationShutdown(): Promise<void> {
    await this.db.destroy();
  }
}
