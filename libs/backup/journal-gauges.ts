import { askBriefly, type Sample, Scrape } from '#platform/scrape';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';

type Name = 'velum_erasures_unshipped' | 'velum_erasures_unshipped_oldest_seconds';

/** What a restore of the newest backup would bring back, were the database lost now. */
@Injectable()
export class JournalGauges implements OnModuleInit {
  constructor(
    private readonly db: DataSource,
    private readonly scrape: Scrape,
  ) {}

  onModuleInit(): void {
    this.scrape.source<Name>(
      'erasures',
      {
        velum_erasures_unshipped: { help: 'Erasures that are not yet where the backups are' },
        velum_erasures_unshipped_oldest_seconds: { help: 'Age of the oldest of them; 0 if there is none' },
      },
      () => askBriefly(this.db, countUnshipped),
    );
  }
}

async function countUnshipped(tx: EntityManager): Promise<readonly Sample<Name>[]> {
  const [row] = await tx.query<{ waiting: number; oldest: number }[]>(
    `SELECT count(*)::int AS waiting,
            greatest(0, coalesce(extract(epoch FROM now() - min(at)), 0))::float8 AS oldest FROM erasure_journal`,
  );
  return [
    { name: 'velum_erasures_unshipped', value: row?.waiting ?? 0 },
    { name: 'velum_erasures_unshipped_oldest_seconds', value: row?.oldest ?? 0 },
  ];
}
