import { askBriefly, type Sample, Scrape } from '#platform/scrape';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';

type Name = 'velum_incidents_open' | 'velum_incident_duties_overdue';

/** Whether somebody has to act. */
@Injectable()
export class IncidentGauges implements OnModuleInit {
  constructor(
    private readonly db: DataSource,
    private readonly scrape: Scrape,
  ) {}

  onModuleInit(): void {
    this.scrape.source<Name>(
      'incidents',
      {
        velum_incidents_open: { help: 'Incidents that are not closed, those of detectors included' },
        velum_incident_duties_overdue: {
          help: 'Notifications of incidents that are due by law and not recorded',
        },
      },
      () => askBriefly(this.db, countIncidents),
    );
  }
}

async function countIncidents(tx: EntityManager): Promise<readonly Sample<Name>[]> {
  const [counts] = await tx.query<{ open: number; overdue: number }[]>(
    `SELECT (SELECT count(*) FROM incident WHERE state <> 'closed')::float8 AS open,
            (SELECT count(*) FROM incident_duty WHERE required AND met_at IS NULL AND due_at < now())::float8 AS overdue`,
  );
  return [
    { name: 'velum_incidents_open', value: counts?.open ?? 0 },
    { name: 'velum_incident_duties_overdue', value: counts?.overdue ?? 0 },
  ];
}
