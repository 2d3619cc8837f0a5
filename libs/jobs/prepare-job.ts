import type { JobId } from '#platform/ids';
import { jobItems, timed } from '#platform/metrics';
import { Logger } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource, type EntityManager } from 'typeorm';
import { inputRefusalOf } from './internal/input-refusal.js';
import { ItemPlanner } from './internal/item-planner.js';
import { ItemWriter } from './internal/item-writer.js';
import { type JobRow, JobStore } from './internal/job-store.js';
import { passesByItself } from './internal/passing-error.js';
import { Spool } from './internal/spool.js';
import { MOST_STARTS } from './job.js';
import { InputRefused } from './jobs.errors.js';

/** Reads the input of a job and writes its items down, all or none; a job that was prepared before is left alone. */
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
  ) {}

  async execute({ jobId }: PrepareJob): Promise<void> {
    const job = await this.jobs.alive(jobId);
    const starts = await this.jobs.beginInput(jobId);
    if (job === undefined || starts === undefined) return;
    try {
      if (starts > MOST_STARTS) throw new InputRefused('input_unreadable');
      await timed('prepare', () => this.db.transaction((tx) => this.prepare(tx, job)));
    } catch (error) {
      const refused = inputRefusalOf(error);
      if (refused === undefined) {
        await this.notRead(jobId, error);
        throw error;
      }
      await this.db.transaction((tx) => this.jobs.refuse(tx, job, refused));
    }
    await this.spool.removeIfOver(jobId);
  }

  private async notRead(jobId: JobId, error: unknown): Promise<void> {
    if (passesByItself(error)) await this.jobs.releaseInput(jobId).catch(() => undefined);
    const errorName = error instanceof Error ? error.name : 'unknown';
    this.logger.error({ message: 'an input was not read', jobId, errorName });
  }

  private async prepare(tx: EntityManager, job: JobRow): Promise<void> {
    // One at a time: whoever waited finds it prepared.
    await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 3))', [job.id]);
    if ((await this.jobs.alive(job.id, tx))?.state !== 'received') return;
    const writer = new ItemWriter(tx, job.id);
    await this.spool.using(job, async (input) => {
      for await (const item of this.planner.plan(job, input)) await writer.add(item);
    });
    await writer.flush();
    // An empty gallery has no duplicates.
    if (writer.total === 0 && job.type !== 'deduplicate') throw new InputRefused('no_items');
    await this.jobs.start(tx, job.id, writer);
    jobItems.inc({ type: job.type, outcome: 'refused' }, writer.refused);
  }
}
