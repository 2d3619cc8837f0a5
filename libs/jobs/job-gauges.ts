import { askBriefly, type Sample, Scrape } from '#platform/scrape';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { JOB_TYPES, type JobState, type JobType } from './job.js';

type JobGauge = 'velum_jobs' | 'velum_job_items_waiting' | 'velum_jobs_oldest_seconds';

interface JobCount {
  readonly type: JobType;
  readonly state: JobState;
  readonly jobs: number;
  readonly waiting: number;
  readonly oldest: number;
}

/** What PostgreSQL says waits to be done: the queue in Redis holds only the next of it. */
@Injectable()
export class JobGauges implements OnModuleInit {
  constructor(
    private readonly db: DataSource,
    private readonly scrape: Scrape,
  ) {}

  onModuleInit(): void {
    this.scrape.source<JobGauge>(
      'jobs',
      {
        velum_jobs: { help: 'Bulk jobs that are not over', labels: ['type', 'state'] },
        velum_job_items_waiting: { help: 'Items that wait in jobs whose input was read', labels: ['type'] },
        velum_jobs_oldest_seconds: {
          help: 'Age of the oldest bulk job that is not over; 0 if there is none',
          labels: ['type'],
        },
      },
      () => askBriefly(this.db, countJobs),
    );
  }
}

/** From the counters of the jobs: counting the items would read up to millions of rows. Zero is told too. */
async function countJobs(tx: EntityManager): Promise<readonly Sample<JobGauge>[]> {
  const counts = await tx.query<JobCount[]>(
    `SELECT type, state, count(*)::int AS jobs,
            coalesce(sum(total - done - refused - failed), 0)::float8 AS waiting,
            greatest(0, extract(epoch FROM now() - min(created_at)))::float8 AS oldest
     FROM job WHERE state IN ('received', 'running') GROUP BY type, state`,
  );
  return JOB_TYPES.flatMap((type): Sample<JobGauge>[] => {
    const own = counts.filter((count) => count.type === type);
    const jobsIn = (state: JobState): number => own.find((count) => count.state === state)?.jobs ?? 0;
    return [
      { name: 'velum_jobs', labels: { type, state: 'received' }, value: jobsIn('received') },
      { name: 'velum_jobs', labels: { type, state: 'running' }, value: jobsIn('running') },
      {
        name: 'velum_job_items_waiting',
        labels: { type },
        value: own.reduce((sum, { waiting }) => sum + waiting, 0),
      },
      {
        name: 'velum_jobs_oldest_seconds',
        labels: { type },
        value: Math.max(0, ...own.map(({ oldest }) => oldest)),
      },
    ];
  });
}
