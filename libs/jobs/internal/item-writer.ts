import type { JobId } from '#platform/ids';
import type { EntityManager } from 'typeorm';
import { MOST_ITEMS } from '../job.js';
import { InputRefused } from '../jobs.errors.js';
import type { PlannedItem } from './item-plan.js';

const ITEMS_AT_ONCE = 5_000;

/** Writes the items of a job down as they are found, without holding them all. */
export class ItemWriter {
  total = 0;
  refused = 0;
  private readonly waiting: PlannedItem[] = [];

  constructor(
    private readonly tx: EntityManager,
    private readonly jobId: JobId,
    private readonly itemsPerChunk: number,
  ) {}

  async add(item: PlannedItem): Promise<void> {
    if (this.total === MOST_ITEMS) throw new InputRefused('too_many_items');
    this.total++;
    if ('refused' in item) this.refused++;
    this.waiting.push(item);
    if (this.waiting.length === ITEMS_AT_ONCE) await this.flush();
  }

  async flush(): Promise<void> {
    const items = this.waiting.splice(0);
    const first = this.total - items.length + 1;
    const numbers = items.map((_, i) => first + i);
    await this.tx.query(
      `INSERT INTO job_item (job_id, n, chunk, state, code, input, ended_at)
       SELECT $1, n, chunk, CASE WHEN code IS NULL THEN 'waiting' ELSE 'refused' END, code, input,
              CASE WHEN code IS NULL THEN NULL ELSE now() END
       FROM unnest($2::int[], $3::int[], $4::text[], $5::jsonb[]) AS planned (n, chunk, code, input)`,
      [
        this.jobId,
        numbers,
        numbers.map((n) => Math.floor((n - 1) / this.itemsPerChunk)),
        items.map((item) => ('refused' in item ? item.refused : null)),
        items.map((item) => ('pointer' in item ? JSON.stringify(item.pointer) : null)),
      ],
    );
  }
}
