import type { SubjectId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { EndedItem, JobRow } from './job-store.js';

/** What bulk jobs still know of a person whose erasure commits with this. */
export interface JobTraces {
  /** Items of other jobs that name the subject and wait: nobody can read them any more, and each will be refused. */
  readonly itemsWaiting: number;
  /** Jobs of the client whose input nobody has read yet: it may name the subject, and is deleted once it was read. */
  readonly inputsStored: readonly string[];
}

/** Adds to the proof of an erasure what the database cannot tell of the faces alone: pending jobs, temporary files. */
@Injectable()
export class ErasureProof {
  async complete(tx: EntityManager, job: JobRow, items: readonly EndedItem[]): Promise<readonly EndedItem[]> {
    const completed: EndedItem[] = [];
    for (const item of items) {
      const subjectId = item.outcome === 'done' ? item.subjectId : undefined;
      if (subjectId === undefined) completed.push(item);
      else
        completed.push({ ...item, result: { ...item.result, jobs: await this.traces(tx, job, subjectId) } });
    }
    return completed;
  }

  private async traces(tx: EntityManager, job: JobRow, subjectId: SubjectId): Promise<JobTraces> {
    const [waiting] = await tx.query<{ n: number }[]>(
      `SELECT count(*)::int AS n FROM job_item JOIN job ON job.id = job_item.job_id
       WHERE job.client_id = $1 AND job.id <> $2 AND job.state IN ('received', 'running')
         AND job_item.state = 'waiting' AND job_item.subject_id = $3`,
      [job.client_id, job.id, subjectId],
    );
    const inputs = await tx.query<{ id: string }[]>(
      `SELECT id FROM job
       WHERE client_id = $1 AND id <> $2 AND spool_key IS NOT NULL AND records_file IS NULL ORDER BY id`,
      [job.client_id, job.id],
    );
    return { itemsWaiting: waiting?.n ?? 0, inputsStored: inputs.map(({ id }) => id) };
  }
}
