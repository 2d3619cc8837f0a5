import type { Config } from '#platform/config';
import { CONFIG } from '#platform/platform.module';
import { Module, type OnApplicationShutdown } from '@nestjs/common';
import { CustodyDatabase } from './custody-database.js';
import { CustodyGauges } from './custody-gauges.js';
import { KeyCustodian } from './key-custodian.js';
import { LocalKeyCustodian } from './local-key-custodian.js';
import { WrappingKeys } from './wrapping-keys.js';

@Module({
  providers: [
    {
      provide: CustodyDatabase,
      useFactory: (config: Config) => CustodyDatabase.connect(config),
      inject: [CONFIG],
    },
    { provide: WrappingKeys, useFactory: (config: Config) => WrappingKeys.load(config), inject: [CONFIG] },
    { provide: KeyCustodian, useClass: LocalKeyCustodian },
    CustodyGauges,
  ],
  exports: [KeyCustodian],
})
export class CustodyModule implements OnApplicationShutdown {
  constructor(private readonly db: CustodyDatabase) {}

  async onApplicationShutdown(): Promise<void> {
    await this.db.destroy();
  }
}
