import type { JobId } from '#platform/ids';
import type { FileHandle } from 'node:fs/promises';
import type { DataSource } from 'typeorm';
import { InputRefused } from '../jobs.errors.js';
import type { ItemRecord } from './item-plan.js';
import { openRecord } from './record-file.js';
import type { ItemInput, SpooledInput } from './spooled-input.js';

/** What an item's pointer counts in, by the item's number; undefined of one that nobody reads any more. */
export type ItemInputs = (n: number) => Promise<ItemInput | undefined>;

/** Where the items of a job are read from. */
export interface ItemSource {
  inputs: (items: readonly number[]) => Promise<ItemInputs>;
  close: () => Promise<void>;
}

/** The upload as it came: of jobs that the version before has begun. */
export class WholeUpload implements ItemSource {
  constructor(private readonly input: SpooledInput) {}

  inputs(): Promise<ItemInputs> {
    return Promise.resolve(() => Promise.resolve(this.input));
  }

  close(): Promise<void> {
    return this.input.close();
  }
}

interface RecordRow extends ItemRecord {
  readonly n: number;
}

/** Items that are sealed each by itself; an item whose secret is gone is nobody's to read. */
export class SealedItems implements ItemSource {
  constructor(
    private readonly db: DataSource,
    private readonly jobId: JobId,
    private readonly file: FileHandle,
    private readonly key: Buffer,
  ) {}

  async inputs(items: readonly number[]): Promise<ItemInputs> {
    const records = await this.records(items);
    return async (n) => {
      const record = records.get(n);
      if (record === undefined) return undefined;
      const plain = await openRecord(this.file, this.key, record);
      if (plain !== undefined) return inMemory(plain);
      // Erased since, and overwritten: no fault of the file's.
      if ((await this.records([n])).has(n)) throw new InputRefused('input_lost');
      return undefined;
    };
  }

  async close(): Promise<void> {
    this.key.fill(0);
    await this.file.close();
  }

  /** Of the items that may still be read; throws InputRefused('input_lost') if a backup was restored, which has none. */
  private async records(items: readonly number[]): Promise<ReadonlyMap<number, ItemRecord>> {
    const rows = await this.db.query<(Partial<RecordRow> & { n: number; lost: boolean })[]>(
      `SELECT i.n, r.at::float8 AS at, r.length, r.secret, r.n IS NULL AS lost
       FROM job_item i LEFT JOIN job_record r ON r.job_id = i.job_id AND r.n = i.n
       WHERE i.job_id = $1 AND i.n = ANY($2) AND i.state = 'waiting'`,
      [this.jobId, items],
    );
    if (rows.some(({ lost }) => lost)) throw new InputRefused('input_lost');
    return new Map(rows.flatMap((row) => (isRecord(row) ? [[row.n, row]] : [])));
  }
}

function isRecord(row: Partial<RecordRow>): row is RecordRow {
  return row.secret instanceof Buffer;
}

function inMemory(plain: Buffer<ArrayBuffer>): ItemInput {
  return {
    bytes: plain.length,
    read: (at, length) => {
      if (at < 0 || length < 0 || at + length > plain.length)
        return Promise.reject(new RangeError('outside the item'));
      // Once: whoever reads it zeroes it.
      return Promise.resolve(plain.subarray(at, at + length));
    },
  };
}
