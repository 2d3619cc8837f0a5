import type { Keyring } from '#platform/keyring';
import { askBriefly, Scrape } from '#platform/scrape';
import { countSealed } from '#platform/sealed-columns';
import { KEYRING } from '#platform/sealed-values';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { DataSource } from 'typeorm';

/** How far the replacement of db_encryption_key is. */
@Injectable()
export class KeyGauges implements OnModuleInit {
  constructor(
    private readonly db: DataSource,
    private readonly scrape: Scrape,
    @Inject(KEYRING) private readonly keyring: Keyring,
  ) {}

  onModuleInit(): void {
    this.scrape.source(
      'encryption-keys',
      {
        velum_sealed_values: {
          help: 'Values under each key of db_encryption_key, while it holds several',
          labels: ['key'],
        },
      },
      async () => {
        // Counting reads whole tables.
        if (this.keyring.keyIds.length < 2) return [];
        const counts = await askBriefly(this.db, countSealed);
        return this.keyring.keyIds.map((key) => ({
          name: 'velum_sealed_values' as const,
          labels: { key },
          value: counts.filter(({ keyId }) => keyId === key).reduce((sum, { values }) => sum + values, 0),
        }));
      },
    );
  }
}
