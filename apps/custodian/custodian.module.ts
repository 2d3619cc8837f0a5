import { KeyCustodian } from '#custody/key-custodian';
import { LocalCustodyModule } from '#custody/local-custody.module';
import type { CustodianConfig } from '#platform/config';
import { CONFIG } from '#platform/platform.module';
import { Scrape } from '#platform/scrape';
import { type DynamicModule, Module } from '@nestjs/common';
import { CallServer } from './call-server.js';

/** What custody asks of the platform, without its Redis, its database and its other secrets. */
@Module({})
class CustodianPlatformModule {}

@Module({})
export class CustodianModule {
  static forRoot(config: CustodianConfig): DynamicModule {
    return {
      module: CustodianModule,
      imports: [
        {
          module: CustodianPlatformModule,
          global: true,
          providers: [{ provide: CONFIG, useValue: config }, Scrape],
          exports: [CONFIG, Scrape],
        },
        LocalCustodyModule,
      ],
      providers: [
        {
          provide: CallServer,
          inject: [KeyCustodian],
          useFactory: (custodian: KeyCustodian) => new CallServer(custodian, config.tls),
        },
      ],
    };
  }
}
