import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { Spool } from './internal/spool.js';

/** Results name subjects: they are kept as long as their client may reasonably need to read them. */
const RESULTS_KEPT_DAYS = 30;

/** Removes inputs that belong to no job that runs, and the jobs that are long over with their results. */
export class SweepJobs extends Command<void> {}

@CommandHandler(SweepJobs)
export class SweepJobsHandler implements ICommandHandler<SweepJobs> {
  constructor(
    private readonly db: DataSource,
    private readonly spool: Spool,
  ) {}

  async execute(): Promise<void> {
    await this.spool.sweep();
    await this.db.query(`DELETE FROM job WHERE ended_at < now() - make_interval(days => $1)`, [
      RESULTS_KEPT_DAYS,
    ]);
  }
}
