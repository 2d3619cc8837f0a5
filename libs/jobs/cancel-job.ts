import { AuditLog } from '#audit/audit-log';
import type { ClientId, JobId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { JobStore } from './internal/job-store.js';
import { Spool } from './internal/spool.js';

/** Items that ended stay ended; no other is begun once this returns. A job that is over stays as it is. */
export class CancelJob extends Command<void> {
  constructor(
    readonly clientId: ClientId,
    readonly jobId: JobId,
  ) {
    super();
  }
}

@CommandHandler(CancelJob)
export class CancelJobHandler implements ICommandHandler<CancelJob> {
  constructor(
    private readonly db: DataSource,
    private readonly jobs: JobStore,
    private readonly spool: Spool,
    private readonly audit: AuditLog,
  ) {}

  async execute({ clientId, jobId }: CancelJob): Promise<void> {
    const job = await this.jobs.require(clientId, jobId);
    await this.db.transaction(async (tx) => {
      if (!(await this.jobs.cancel(tx, job))) return;
      const details = { jobId };
      const galleryId = job.gallery_id;
      await this.audit.append(tx, { type: 'job.cancelled', outcome: 'ok', clientId, galleryId, details });
    });
    await this.spool.removeUnneeded(jobId);
  }
}
