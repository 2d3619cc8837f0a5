import type { Keyring } from '#platform/keyring';
import { askBriefly, Scrape } from '#platform/scrape';
import { countSealed, SEGMENT_SECRET } from '#platform/sealed-columns';
import { KEYRING } from '#platform/sealed-values';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';

/** How far the replacement of db_encryption_key, and of custody_encryption_key, is. */
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
          help: 'Values under each key of db_encryption_key or custody_encryption_key, while one replaces another',
          labels: ['key'],
        },
      },
      async () => {
        // Counting reads whole tables.
        const own = this.keyring.keyIds.length < 2 ? [] : this.keyring.keyIds;
        const custody = await askBriefly(this.db, findUnfinished);
        if (own.length + custody.length === 0) return [];
        const counts = await askBriefly(this.db, countSealed);
        const wrapping = counts.filter(({ name }) => custody.length > 0 && name === SEGMENT_SECRET);
        const keys = new Set([...own, ...custody, ...wrapping.map(({ keyId }) => keyId)]);
        return [...keys].map((key) => ({
          name: 'velum_sealed_values' as const,
          labels: { key },
          value: counts.filter(({ keyId }) => keyId === key).reduce((sum, { values }) => sum + values, 0),
        }));
      },
    );
  }
}

/** The key of custody_encryption_key that replaces others, if one does. */
async function findUnfinished(tx: EntityManager): Promise<readonly string[]> {
  const rows = await tx.query<{ key_id: string }[]>(
    'SELECT key_id FROM wrapping_keys() WHERE newest AND ended_at IS NULL',
  );
  return rows.map(({ key_id }) => key_id);
}
