import type { JobId } from '#platform/ids';
import type { EntityManager } from 'typeorm';
import { MOST_PAIRS_FOUND } from '../job.js';
import { InputRefused } from '../jobs.errors.js';

/** Adds up what a deduplication has found; throws InputRefused once nobody could look through it. The job's row MUST be held. */
export async function countPairs(tx: EntityManager, jobId: JobId, items: readonly number[]): Promise<void> {
  const [[job]] = await tx.query<[{ pairs: number }[], number]>(
    `UPDATE job SET pairs = pairs + (
       SELECT coalesce(sum(jsonb_array_length(result -> 'pairs')), 0) FROM job_item
       WHERE job_id = $1 AND n = ANY($2) AND state = 'done')
     WHERE id = $1 RETURNING pairs`,
    [jobId, items],
  );
  if (job === undefined || job.pairs > MOST_PAIRS_FOUND) throw new InputRefused('too_many_pairs');
}
