import { AuditLog } from '#audit/audit-log';
import { FindGallery } from '#biometrics/find-gallery';
import { DomainError } from '#platform/domain-error';
import { type Created, Idempotency, type IdempotentRequest } from '#platform/idempotency';
import { type ClientId, type GalleryId, newId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler, QueryBus } from '@nestjs/cqrs';
import { createHash } from 'node:crypto';
import { DataSource, type EntityManager } from 'typeorm';
import { Spool } from './internal/spool.js';
import {
  type JobSettings,
  type JobType,
  type MediaType,
  MOST_INPUT_BYTES,
  MOST_JOBS_AT_ONCE,
  ZIP,
} from './job.js';
import { JobInputEmpty, JobInputUnsupported, TooManyJobs } from './jobs.errors.js';

export interface NewJob {
  readonly type: JobType;
  readonly settings: JobSettings;
  /** Of every type but a deduplication, which takes the gallery as it is. */
  readonly input: JobInput | undefined;
}

export interface JobInput {
  readonly mediaType: MediaType;
  readonly content: AsyncIterable<Buffer>;
}

/** Stores the input and acknowledges it: from then on the job ends, whatever process dies. */
export class CreateJob extends Command<Created<'job'>> {
  constructor(
    readonly clientId: ClientId,
    readonly galleryId: GalleryId,
    readonly job: NewJob,
    readonly idempotency?: IdempotentRequest,
  ) {
    super();
  }
}

@CommandHandler(CreateJob)
export class CreateJobHandler implements ICommandHandler<CreateJob> {
  constructor(
    private readonly db: DataSource,
    private readonly queries: QueryBus,
    private readonly idempotency: Idempotency,
    private readonly spool: Spool,
    private readonly audit: AuditLog,
  ) {}

  async execute({ clientId, galleryId, job, idempotency }: CreateJob): Promise<Created<'job'>> {
    await this.queries.execute(new FindGallery(clientId, galleryId));
    const { replaces } = job.settings;
    if (replaces !== undefined) await this.queries.execute(new FindGallery(clientId, replaces));
    if (job.type === 'erase' && job.input?.mediaType === ZIP) throw new JobInputUnsupported();
    if ((job.type === 'deduplicate') !== (job.input === undefined)) throw new JobInputUnsupported();
    // Before an upload of gigabytes, and again when it has come: many may come at once.
    await this.refuseTooMany(this.db.manager, clientId);
    const id = newId<'job'>();
    const hash = idempotency && createHash('sha256').update(idempotency.fingerprint);
    const content = hash && job.input ? hashed(job.input.content, hash) : job.input?.content;
    const stored = content && (await this.spool.receive(id, content, MOST_INPUT_BYTES));
    try {
      if (stored?.bytes === 0) throw new JobInputEmpty();
      // The input is part of what makes two requests the same.
      const request = hash && { ...idempotency, fingerprint: hash.digest() };
      const created = await this.idempotency.transaction(request, async (tx) => {
        await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 5))', [clientId]);
        await this.refuseTooMany(tx, clientId);
        await tx.query(
          `INSERT INTO job (id, client_id, gallery_id, type, state, settings, media_type, input_bytes, spool_key)
           VALUES ($1, $2, $3, $4, 'received', $5, $6, $7, $8)`,
          [
            id,
            clientId,
            galleryId,
            job.type,
            job.settings,
            job.input?.mediaType ?? null,
            stored?.bytes ?? 0,
            stored?.key ?? null,
          ],
        );
        const details = { jobId: id, job: job.type };
        await this.audit.append(tx, { type: 'job.created', outcome: 'ok', clientId, galleryId, details });
        return { id };
      });
      if (created.id !== id) await this.spool.remove(id);
      return created;
    } catch (error) {
      // Of a commit whose answer was lost the file may be needed: what belongs to no job is swept later.
      if (error instanceof DomainError) await this.spool.remove(id);
      throw error;
    }
  }

  private async refuseTooMany(tx: EntityManager, clientId: ClientId): Promise<void> {
    const [alive] = await tx.query<{ n: number }[]>(
      `SELECT count(*)::int AS n FROM job WHERE client_id = $1 AND state IN ('received', 'running')`,
      [clientId],
    );
    if (alive === undefined || alive.n >= MOST_JOBS_AT_ONCE) throw new TooManyJobs();
  }
}

async function* hashed(
  input: AsyncIterable<Buffer>,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Buffer> {
  for await (const part of input) {
    hash.update(part);
    yield part;
  }
}
