import { type AuditEventInput, AuditLog } from '#audit/audit-log';
import type { ClientId, GalleryId, JobId, SubjectId } from '#platform/ids';
import { jobItems } from '#platform/metrics';
import { WebhookOutbox } from '#webhooks/webhook-outbox';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { ItemOutcome, JobSettings, JobState, JobType, JobView, MediaType } from '../job.js';
import { INPUT_REFUSALS, type InputRefusal, JobNotFound } from '../jobs.errors.js';
import type { WaitingItem } from './item-reader.js';
import { announcementOf } from './job-announcement.js';
import type { SealedFile } from './spool.js';

export interface JobRow {
  readonly id: JobId;
  readonly client_id: ClientId;
  readonly gallery_id: GalleryId;
  readonly type: JobType;
  readonly state: JobState;
  readonly code: InputRefusal | null;
  readonly settings: JobSettings;
  /** Null: the job has no input. */
  readonly media_type: MediaType | null;
  readonly input_bytes: string;
  readonly spool_key: Buffer | null;
  readonly records_file: string | null;
  readonly total: number | null;
  readonly done: number;
  readonly refused: number;
  readonly failed: number;
  readonly created_at: Date;
  readonly started_at: Date | null;
  readonly ended_at: Date | null;
}

export interface EndedItem {
  readonly n: number;
  readonly outcome: ItemOutcome;
  readonly code?: string;
  /** Of an item that was done to one person. */
  readonly subjectId?: SubjectId;
  readonly result?: object;
}

/**
 * The tables `job` and `job_item`: what every state change of a job is written by. Times are the clock's: a transaction
 * that began before the job was started may end it.
 */
@Injectable()
export class JobStore {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
    private readonly webhooks: WebhookOutbox,
  ) {}

  /** The client's job; another client's is as unknown as one that does not exist. */
  async require(clientId: ClientId, jobId: JobId): Promise<JobRow> {
    const [job] = await this.db.query<JobRow[]>('SELECT * FROM job WHERE id = $1 AND client_id = $2', [
      jobId,
      clientId,
    ]);
    if (job === undefined) throw new JobNotFound();
    return job;
  }

  /** A job that is not over. */
  async alive(jobId: JobId, tx: EntityManager = this.db.manager): Promise<JobRow | undefined> {
    const [job] = await tx.query<JobRow[]>(
      `SELECT * FROM job WHERE id = $1 AND state IN ('received', 'running')`,
      [jobId],
    );
    return job;
  }

  /** Counts that the input is begun to be read, and answers how often it was; undefined of a job whose input was read. */
  async beginInput(jobId: JobId): Promise<number | undefined> {
    const [rows] = await this.db.query<[{ input_starts: number }[], number]>(
      `UPDATE job SET input_starts = input_starts + 1 WHERE id = $1 AND state = 'received' RETURNING input_starts`,
      [jobId],
    );
    return rows[0]?.input_starts;
  }

  /** What stood in the way was not the input's. */
  async releaseInput(jobId: JobId): Promise<void> {
    await this.db.query('UPDATE job SET input_starts = input_starts - 1 WHERE id = $1', [jobId]);
  }

  /** Its items are written down, for which the transaction may have taken long; one whose items were all refused is over. */
  async start(
    tx: EntityManager,
    jobId: JobId,
    { total, refused }: { total: number; refused: number },
  ): Promise<void> {
    const [, started] = await tx.query<[unknown[], number]>(
      `UPDATE job SET state = 'running', started_at = clock_timestamp(), total = $2, refused = $3
       WHERE id = $1 AND state = 'received'`,
      [jobId, total, refused],
    );
    // Cancelled meanwhile, under no lock of ours: what was written is of no use.
    if (started === 0) await tx.query('DELETE FROM job_item WHERE job_id = $1', [jobId]);
    await this.endIfDone(tx, jobId);
  }

  /** The items are readable where they were sealed, each by itself, and from the commit on the upload is not. */
  async keepSealed(tx: EntityManager, { id, client_id }: JobRow, { name, key }: SealedFile): Promise<void> {
    // Alone: an erasure that is under way sees these items, or they see it.
    await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 7))', [client_id]);
    await tx.query(
      `UPDATE job_record r SET secret = NULL FROM job_item i JOIN subject s ON s.id = i.subject_id
       WHERE i.job_id = $1 AND r.job_id = i.job_id AND r.n = i.n AND s.erased_at IS NOT NULL`,
      [id],
    );
    await tx.query(
      'UPDATE job SET records_file = $2, spool_key = $3 WHERE id = $1 AND spool_key IS NOT NULL',
      [id, name, key],
    );
  }

  /** Ends a job because of its input; one that is over stays as it is, and so do the items that wait. */
  async refuse(tx: EntityManager, job: JobRow, code: InputRefusal): Promise<void> {
    const [[refused]] = await tx.query<[JobRow[], number]>(
      `UPDATE job SET state = 'failed', code = $2, ended_at = clock_timestamp(), spool_key = NULL
       WHERE id = $1 AND state IN ('received', 'running') RETURNING *`,
      [job.id, code],
    );
    if (refused === undefined) return;
    await this.ended(tx, refused, { outcome: 'refused', code });
  }

  /** Ends a job that its client does not want any more; false if it was over before. */
  async cancel(tx: EntityManager, job: JobRow): Promise<boolean> {
    const [[cancelled]] = await tx.query<[JobRow[], number]>(
      `UPDATE job SET state = 'cancelled', ended_at = clock_timestamp(), spool_key = NULL
       WHERE id = $1 AND state IN ('received', 'running') RETURNING *`,
      [job.id],
    );
    if (cancelled === undefined) return false;
    await this.webhooks.announce(tx, cancelled.client_id, announcementOf(showJob(cancelled)));
    return true;
  }

  /**
   * The items of a chunk that still wait, counting that they were begun once more: a chunk that kills whatever works on it
   * is told by that. None is counted beyond `most` here, since it is not known which of them kills.
   */
  async begin(jobId: JobId, chunk: number, most: number): Promise<WaitingItem[]> {
    const [items] = await this.db.query<[WaitingItem[], number]>(
      `UPDATE job_item SET attempts = greatest(attempts, least(attempts + 1, $3))
       WHERE job_id = $1 AND chunk = $2 AND state = 'waiting' RETURNING n, attempts, input`,
      [jobId, chunk, most],
    );
    return items.sort((a, b) => a.n - b.n);
  }

  /** One item, begun by itself: whatever dies now died of it. */
  async beginAlone(jobId: JobId, { n }: WaitingItem): Promise<void> {
    await this.db.query(
      `UPDATE job_item SET attempts = attempts + 1 WHERE job_id = $1 AND n = $2 AND state = 'waiting'`,
      [jobId, n],
    );
  }

  /** What stood in the way was not theirs: they were not begun after all. */
  async release(jobId: JobId, items: readonly WaitingItem[]): Promise<void> {
    await this.db.query(
      `UPDATE job_item SET attempts = attempts - 1 WHERE job_id = $1 AND n = ANY($2) AND state = 'waiting'`,
      [jobId, items.map(({ n }) => n)],
    );
  }

  /**
   * Ends items that wait; those that another worker has ended are left alone. Answers false, having changed nothing, if
   * the job does not run any more. Holds the job's row until `tx` ends.
   */
  async endItems(tx: EntityManager, jobId: JobId, items: readonly EndedItem[]): Promise<boolean> {
    const [running] = await tx.query<Pick<JobRow, 'type'>[]>(
      `SELECT type FROM job WHERE id = $1 AND state = 'running' FOR UPDATE`,
      [jobId],
    );
    if (running === undefined) return false;
    const [ended] = await tx.query<[{ state: ItemOutcome; n: number }[], number]>(
      `UPDATE job_item SET state = given.state, code = given.code, result = given.result, input = NULL,
         subject_id = NULL, ended_at = now()
       FROM unnest($2::int[], $3::text[], $4::text[], $5::jsonb[]) AS given (n, state, code, result)
       WHERE job_item.job_id = $1 AND job_item.n = given.n AND job_item.state = 'waiting'
       RETURNING job_item.state, job_item.n`,
      [
        jobId,
        items.map(({ n }) => n),
        items.map(({ outcome }) => outcome),
        items.map(({ code }) => code ?? null),
        items.map(({ result }) => (result === undefined ? null : JSON.stringify(result))),
      ],
    );
    await tx.query(
      `DELETE FROM job_record r USING (
         SELECT n FROM job_record WHERE job_id = $1 AND n = ANY($2) ORDER BY n FOR UPDATE
       ) AS ended WHERE r.job_id = $1 AND r.n = ended.n`,
      [jobId, ended.map(({ n }) => n)],
    );
    const count = (outcome: ItemOutcome): number => ended.filter(({ state }) => state === outcome).length;
    await tx.query(
      'UPDATE job SET done = done + $2, refused = refused + $3, failed = failed + $4 WHERE id = $1',
      [jobId, count('done'), count('refused'), count('failed')],
    );
    for (const { state } of ended) jobItems.inc({ type: running.type, outcome: state });
    await this.endIfDone(tx, jobId);
    return true;
  }

  private async endIfDone(tx: EntityManager, jobId: JobId): Promise<void> {
    const [jobs] = await tx.query<[JobRow[], number]>(
      `UPDATE job SET state = 'ended', ended_at = clock_timestamp(), spool_key = NULL
       WHERE id = $1 AND state = 'running' AND done + refused + failed = total RETURNING *`,
      [jobId],
    );
    for (const job of jobs) await this.ended(tx, job, { outcome: 'ok' });
  }

  private async ended(
    tx: EntityManager,
    job: JobRow,
    how: Pick<AuditEventInput, 'outcome' | 'code'>,
  ): Promise<void> {
    const { id: jobId, client_id: clientId, gallery_id: galleryId, done, refused, failed } = job;
    const details = { jobId, done, refused, failed };
    await this.audit.append(tx, { type: 'job.ended', ...how, clientId, galleryId, details });
    await this.webhooks.announce(tx, clientId, announcementOf(showJob(job)));
  }

  /** Of these items those that still wait, held until `tx` ends; what another worker holds is left to it. */
  async holdWaiting(tx: EntityManager, jobId: JobId, items: readonly number[]): Promise<ReadonlySet<number>> {
    const rows = await tx.query<{ n: number }[]>(
      `SELECT n FROM job_item WHERE job_id = $1 AND n = ANY($2) AND state = 'waiting'
       ORDER BY n FOR UPDATE SKIP LOCKED`,
      [jobId, items],
    );
    return new Set(rows.map(({ n }) => n));
  }
}

export function showJob(job: JobRow): JobView {
  const { total, done, refused, failed } = job;
  const itemsEnded = done + refused + failed;
  const until = job.ended_at ?? new Date();
  const seconds = job.started_at === null ? 0 : (until.getTime() - job.started_at.getTime()) / 1_000;
  const itemsPerSecond = seconds > 0 && itemsEnded > 0 ? itemsEnded / seconds : null;
  const left = total === null ? null : total - itemsEnded;
  const estimatedEnd =
    job.state === 'running' && itemsPerSecond !== null && left !== null
      ? new Date(Date.now() + (left / itemsPerSecond) * 1_000)
      : null;
  return {
    id: job.id,
    galleryId: job.gallery_id,
    type: job.type,
    state: job.state,
    code: job.code,
    detail: job.code === null ? null : INPUT_REFUSALS[job.code],
    total,
    done,
    refused,
    failed,
    itemsPerSecond: itemsPerSecond === null ? null : Math.round(itemsPerSecond * 10) / 10,
    estimatedEnd,
    createdAt: job.created_at,
    startedAt: job.started_at,
    endedAt: job.ended_at,
  };
}
