import { SLOTS_PER_SEGMENT } from '#homomorphic/parameters';
import { askBriefly, type Sample, Scrape } from '#platform/scrape';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { CustodyDatabase } from './custody-database.js';
import { KeyCustodian } from './key-custodian.js';

type PadGauge = 'velum_pads_left' | 'velum_pads_left_least';

/** How many more templates can be sealed before a segment is opened, and what this process holds in the clear. */
@Injectable()
export class CustodyGauges implements OnModuleInit {
  constructor(
    private readonly db: CustodyDatabase,
    private readonly custodian: KeyCustodian,
    private readonly scrape: Scrape,
  ) {}

  onModuleInit(): void {
    this.scrape.source<PadGauge>(
      'pads',
      {
        velum_pads_left: { help: 'Unused pads of the open segments of all galleries' },
        velum_pads_left_least: { help: 'Unused pads of the gallery that has the fewest' },
      },
      () => askBriefly(this.db, countPads),
    );
    this.scrape.source(
      'custody',
      {
        velum_seal_keys: { help: 'Segment keys that sealing and opening threads hold' },
        velum_seal_pad_bytes: { help: 'Pads that the sealing thread holds' },
      },
      async () => {
        const { keys, padBytes } = await this.custodian.held();
        return [
          { name: 'velum_seal_keys', value: keys },
          { name: 'velum_seal_pad_bytes', value: padBytes },
        ];
      },
    );
  }
}

async function countPads(tx: EntityManager): Promise<readonly Sample<PadGauge>[]> {
  const [pads] = await tx.query<{ total: number; least: number | null }[]>(
    `SELECT coalesce(sum(free), 0)::float8 AS total, min(free)::float8 AS least FROM (
       SELECT sum($1 - s.used) AS free FROM custody.segment s
       JOIN custody.key_set k ON k.gallery_id = s.gallery_id AND k.generation = s.generation
       GROUP BY s.gallery_id) AS gallery`,
    [SLOTS_PER_SEGMENT],
  );
  if (pads === undefined) throw new Error('an aggregate without a row');
  const { total, least } = pads;
  return [
    { name: 'velum_pads_left', value: total },
    ...(least === null ? [] : [{ name: 'velum_pads_left_least' as const, value: least }]),
  ];
}
