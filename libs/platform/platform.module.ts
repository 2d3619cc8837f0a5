import { type DynamicModule, Global, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Redis } from 'ioredis';
import type { Config } from './config.js';
import { dataSourceOptions } from './data-source.js';
import { installKeyring } from './encrypted-column.js';
import { Idempotency } from './idempotency.js';
import { IdempotencyRecord } from './idempotency.entity.js';
import { Outbox } from './outbox.js';
import { Cursors } from './page.js';
import { connectRedis } from './redis.js';
import { Scrape } from './scrape.js';
import { KEYRING, SealedValues } from './sealed-values.js';

export const CONFIG = Symbol('config');

@Global()
@Module({})
export class PlatformModule implements OnApplicationShutdown {
  constructor(@Inject(Redis) private readonly redis: Redis) {}

  static forRoot(config: Config, applicationName: string): DynamicModule {
    installKeyring(config.secrets.dbEncryptionKeys);
    return {
      module: PlatformModule,
      imports: [
        TypeOrmModule.forRoot({
          ...dataSourceOptions(config.databaseUrl, applicationName),
          autoLoadEntities: true,
          retryAttempts: 3,
        }),
        TypeOrmModule.forFeature([IdempotencyRecord]),
      ],
      providers: [
        { provide: CONFIG, useValue: config },
        { provide: KEYRING, useValue: config.secrets.dbEncryptionKeys },
        { provide: Redis, useFactory: () => connectRedis(config) },
        { provide: Cursors, useFactory: () => new Cursors(config.secrets.secretKey) },
        Idempotency,
        Outbox,
        Scrape,
        SealedValues,
      ],
      exports: [CONFIG, Redis, Cursors, Idempotency, Outbox, Scrape, SealedValues, KEYRING],
    };
  }

  onApplicationShutdown(): void {
    this.redis.disconnect();
  }
}
