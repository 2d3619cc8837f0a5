import type { JobId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource, type EntityManager } from 'typeorm';
import { overwriteRecord } from './internal/record-file.js';
import { Spool } from './internal/spool.js';

const RECORDS_AT_ONCE = 1_000;

interface ErasedRecord {
  readonly n: number;
  readonly at: number;
  readonly length: number;
}

/** Writes zeros over the items of people who were erased; nobody can read them as it is. Answers how many. */
export class OverwriteErased extends Command<number> {}

@CommandHandler(OverwriteErased)
export class OverwriteErasedHandler implements ICommandHandler<OverwriteErased> {
  constructor(
    private readonly db: DataSource,
    private readonly spool: Spool,
  ) {}

  async execute(): Promise<number> {
    const jobs = await this.db.query<{ id: JobId; records_file: string }[]>(
      `SELECT id, records_file FROM job WHERE records_file IS NOT NULL AND spool_key IS NOT NULL
         AND EXISTS (SELECT FROM job_record WHERE job_id = job.id AND secret IS NULL AND NOT overwritten)`,
    );
    let overwritten = 0;
    for (const job of jobs) overwritten += await this.db.transaction((tx) => this.overwrite(tx, job));
    return overwritten;
  }

  private async overwrite(
    tx: EntityManager,
    { id, records_file }: { readonly id: JobId; readonly records_file: string },
  ): Promise<number> {
    const erased = await tx.query<ErasedRecord[]>(
      `SELECT n, at::float8 AS at, length FROM job_record
       WHERE job_id = $1 AND secret IS NULL AND NOT overwritten ORDER BY n LIMIT $2 FOR UPDATE SKIP LOCKED`,
      [id, RECORDS_AT_ONCE],
    );
    const file = erased.length === 0 ? undefined : await this.spool.openToOverwrite(id, records_file);
    try {
      if (file !== undefined) {
        for (const record of erased) await overwriteRecord(file, record);
        await file.datasync();
      }
    } finally {
      await file?.close();
    }
    await tx.query('UPDATE job_record SET overwritten = true WHERE job_id = $1 AND n = ANY($2)', [
      id,
      erased.map(({ n }) => n),
    ]);
    return erased.length;
  }
}
