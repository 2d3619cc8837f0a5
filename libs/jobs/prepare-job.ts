import type { JobId } from '#platform/ids';
import { jobItems, timed } from '#platform/metrics';
import { Logger } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource, type EntityManager } from 'typeorm';
import { inputRefusalOf } from './internal/input-refusal.js';
import { ItemPlanner } from './internal/item-planner.js';
import { ItemSealer } from './internal/item-sealer.js';
import { ItemWriter } from './internal/item-writer.js';
import { type JobRow, JobStore } from './internal/job-store.js';
import { passesByItself } from './internal/passing-error.js';
import { Spool } from './internal/spool.js';
import { MOST_STARTS } from './job.js';
import { InputRefused } from './jobs.errors.js';

/** Reads the input of a job and seals its items and writes them down, all or none; a job that was prepared before is left alone. */
export class PrepareJob extends Command<void> {
  constructor(readonly jobId: JobId) {
    super();
  }
}

@CommandHandler(PrepareJob)
export class PrepareJobHandler implements ICommandHandler<PrepareJob> {
  private readonly logger = new Logger('jobs');

  constructor(
    private readonly db: DataSource,
    private readonly jobs: JobStore,
    private readonly spool: Spool,
    private readonly planner: ItemPlanner,
    private readonly sealer: ItemSealer,
  ) {}

  async execute({ jobId }: PrepareJob): Promise<void> {
    const job = await this.jobs.alive(jobId);
    const starts = await this.jobs.beginInput(jobId);
    if (job === undefined || starts === undefined) return;
    const sealed: string[] = [];
    try {
      if (starts > MOST_STARTS) throw new InputRefused('input_unreadable');
      await timed('prepare', () => this.db.transaction((tx) => this.prepare(tx, job, sealed)));
    } catch (error) {
      const refused = inputRefusalOf(error);
      if (refused === undefined) {
        // Of a commit whose answer was lost they may be needed: what belongs to no job is swept later.
        if (passesByItself(error)) sealed.splice(0);
        await this.notRead(jobId, error);
        throw error;
      }
      await this.db.transaction((tx) => this.jobs.refuse(tx, job, refused));
    } finally {
      for (const name of sealed) await this.spool.discard(jobId, name).catch(() => undefined);
    }
    await this.spool.removeUnneeded(jobId);
  }

  private async notRead(jobId: JobId, error: unknown): Promise<void> {
    if (passesByItself(error)) await this.jobs.releaseInput(jobId).catch(() => undefined);
    const errorName = error instanceof Error ? error.name : 'unknown';
    this.logger.error({ message: 'an input was not read', jobId, errorName });
  }

  private async prepare(tx: EntityManager, job: JobRow, sealed: string[]): Promise<void> {
    // One at a time: whoever waited finds it prepared.
    await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 3))', [job.id]);
    if ((await this.jobs.alive(job.id, tx))?.state !== 'received') return;
    const writer = new ItemWriter(tx, job.id);
    const file = await this.spool.using(job, async (input) => {
      const planned = this.planner.plan(job, input);
      if (input === undefined) return writer.addAll(planned);
      return this.spool.seal(job.id, (records) =>
        writer.addAll(this.sealer.seal(job, input, planned, records)),
      );
    });
    if (file) sealed.push(file.name);
    // An empty gallery has no duplicates.
    if (writer.total === 0 && job.type !== 'deduplicate') throw new InputRefused('no_items');
    if (file) await this.jobs.keepSealed(tx, job, file);
    await this.jobs.start(tx, job.id, writer);
    jobItems.inc({ type: job.type, outcome: 'refused' }, writer.refused);
  }
}
