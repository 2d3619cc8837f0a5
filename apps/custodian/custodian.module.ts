import { LocalCustodyModule } from '#custody/local-custody.module';
import type { CustodianConfig } from '#platform/config';
import { CONFIG } from '#platform/platform.module';
import { Scrape } from '#platform/scrape';
import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD } from '@nestjs/core';
import { CallsController } from './calls.controller.js';
import { PeerGuard } from './peer.guard.js';
import { RefusalFilter } from './refusal.filter.js';

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
      controllers: [CallsController],
      providers: [
        { provide: APP_GUARD, useClass: PeerGuard },
        { provide: APP_FILTER, useClass: RefusalFilter },
      ],
    };
  }
}
