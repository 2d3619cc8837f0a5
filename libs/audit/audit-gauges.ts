import { askBriefly, type Sample, Scrape } from '#platform/scrape';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';

type Name =
  'velum_audit_unsequenced_oldest_seconds' | 'velum_audit_tree_size' | 'velum_audit_checkpoint_age_seconds';

/** Whether what is recorded becomes provable. */
@Injectable()
export class AuditGauges implements OnModuleInit {
  constructor(
    private readonly db: DataSource,
    private readonly scrape: Scrape,
  ) {}

  onModuleInit(): void {
    this.scrape.source<Name>(
      'audit',
      {
        velum_audit_unsequenced_oldest_seconds: {
          help: 'Age of the oldest audit entry that has no leaf yet; 0 if there is none',
        },
        velum_audit_tree_size: { help: 'Leaves that the latest checkpoint of the audit log covers' },
        velum_audit_checkpoint_age_seconds: {
          help: 'Age of the latest checkpoint of the audit log; nobody signs while there is no news',
        },
      },
      () => askBriefly(this.db, readLog),
    );
  }
}

async function readLog(tx: EntityManager): Promise<readonly Sample<Name>[]> {
  const [row] = await tx.query<{ waiting: number; size: number; age: number }[]>(
    `SELECT greatest(0, coalesce(extract(epoch FROM clock_timestamp() -
              (SELECT queued_at FROM audit_pending ORDER BY n LIMIT 1)), 0))::float8 AS waiting,
            coalesce(c.tree_size, 0)::float8 AS size,
            greatest(0, coalesce(extract(epoch FROM clock_timestamp() - c.signed_at), 0))::float8 AS age
     FROM (SELECT) AS one
       LEFT JOIN (SELECT tree_size, signed_at FROM audit_checkpoint ORDER BY tree_size DESC LIMIT 1) AS c ON true`,
  );
  return [
    { name: 'velum_audit_unsequenced_oldest_seconds', value: row?.waiting ?? 0 },
    { name: 'velum_audit_tree_size', value: row?.size ?? 0 },
    { name: 'velum_audit_checkpoint_age_seconds', value: row?.age ?? 0 },
  ];
}
