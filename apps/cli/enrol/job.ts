import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient } from './api-client.js';

/** What the API tells of a job, as far as it is shown here. */
export interface Job {
  readonly id: string;
  readonly galleryId: string;
  readonly state: 'received' | 'running' | 'ended' | 'failed' | 'cancelled';
  readonly code: string | null;
  readonly detail: string | null;
  readonly total: number | null;
  readonly done: number;
  readonly refused: number;
  readonly failed: number;
  readonly itemsPerSecond: number | null;
  readonly estimatedEnd: string | null;
}

const EVERY_MS = 500;

/** Asks until the job is over: a stream of events would break at each restart of the API, or be held up by a proxy. */
export async function followJob(api: ApiClient, id: string, progress: (job: Job) => void): Promise<Job> {
  for (;;) {
    const job = await api.get<Job>(`/v1/jobs/${id}`);
    progress(job);
    if (job.state !== 'received' && job.state !== 'running') return job;
    await sleep(EVERY_MS);
  }
}
