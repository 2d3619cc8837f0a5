import type { JobId } from '#platform/ids';
import type { EntityManager } from 'typeorm';
import { MOST_ITEMS, PHOTOS_A_CHUNK } from '../job.js';
import { InputRefused } from '../jobs.errors.js';
import type { ItemPointer, SealedItem } from './item-plan.js';

const ITEMS_AT_ONCE = 5_000;

/** An embedding takes less than a millisecond. */
const LINES_A_CHUNK = 128;
/** Two segments take some tens of milliseconds, more at large dimensions. */
const SEGMENT_PAIRS_A_CHUNK = 16;
/** What a worker holds of the input at once, for each chunk that it works on. */
const BYTES_A_CHUNK = 32 * 2 ** 20;

interface PlacedItem {
  readonly item: SealedItem;
  readonly chunk: number;
}

/** Writes the items of a job down as they are found, without holding them all, and parts them into chunks. */
export class ItemWriter {
  total = 0;
  refused = 0;
  private chunk = 0;
  /** How much of the chunk is taken, from 0 to 1. */
  private taken = 0;
  private readonly waiting: PlacedItem[] = [];

  constructor(
    private readonly tx: EntityManager,
    private readonly jobId: JobId,
  ) {}

  async addAll(items: AsyncIterable<SealedItem>): Promise<void> {
    for await (const item of items) await this.add(item);
    await this.flush();
  }

  private async add(item: SealedItem): Promise<void> {
    if (this.total === MOST_ITEMS) throw new InputRefused('too_many_items');
    this.total++;
    if ('refused' in item) this.refused++;
    const share = 'pointer' in item ? shareOf(item.pointer) : 0;
    if (this.taken > 0 && (this.taken + share > 1 || isOfNextLeft(item))) {
      this.chunk++;
      this.taken = 0;
    }
    this.taken += share;
    this.waiting.push({ item, chunk: this.chunk });
    if (this.waiting.length === ITEMS_AT_ONCE) await this.flush();
  }

  private async flush(): Promise<void> {
    const items = this.waiting.splice(0);
    const first = this.total - items.length + 1;
    const numbers = items.map((_, i) => first + i);
    await this.tx.query(
      `INSERT INTO job_item (job_id, n, chunk, state, code, input, subject_id, ended_at)
       SELECT $1, n, chunk, CASE WHEN code IS NULL THEN 'waiting' ELSE 'refused' END, code, input, subject_id,
              CASE WHEN code IS NULL THEN NULL ELSE now() END
       FROM unnest($2::int[], $3::int[], $4::text[], $5::jsonb[], $6::uuid[]) AS planned (n, chunk, code, input, subject_id)`,
      [
        this.jobId,
        numbers,
        items.map(({ chunk }) => chunk),
        items.map(({ item }) => ('refused' in item ? item.refused : null)),
        items.map(({ item }) => ('pointer' in item ? JSON.stringify(item.pointer) : null)),
        items.map(({ item }) => ('pointer' in item ? (item.subjectId ?? null) : null)),
      ],
    );
    const records = items.flatMap(({ item }, i) =>
      'pointer' in item && item.record ? [{ n: first + i, ...item.record }] : [],
    );
    await this.tx.query(
      `INSERT INTO job_record (job_id, n, at, length, secret)
       SELECT $1, * FROM unnest($2::int[], $3::bigint[], $4::int[], $5::bytea[])`,
      [
        this.jobId,
        records.map(({ n }) => n),
        records.map(({ at }) => at),
        records.map(({ length }) => length),
        records.map(({ secret }) => secret),
      ],
    );
  }
}

/** A chunk has one left segment: its rows are read and its pads made once. */
function isOfNextLeft(item: SealedItem): boolean {
  return 'pointer' in item && 'left' in item.pointer && item.pointer.left === item.pointer.right;
}

/** What an item takes of a chunk, from 0 to 1 or more. */
function shareOf(pointer: ItemPointer): number {
  if ('files' in pointer) {
    const bytes = pointer.files.reduce((sum, { compressed, size }) => sum + compressed + size, 0);
    return Math.max(pointer.files.length / PHOTOS_A_CHUNK, bytes / BYTES_A_CHUNK);
  }
  return 1 / ('left' in pointer ? SEGMENT_PAIRS_A_CHUNK : LINES_A_CHUNK);
}
