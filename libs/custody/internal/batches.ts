/** So many items go through the work at once. */
const MOST_AT_ONCE = 500;

interface Waiting<T, R> {
  readonly item: T;
  readonly resolve: (result: R) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Items that come while the work is under way wait and go through it together: one statement at a time, and a busy
 * gallery's openings do not stand in line at its row. If the work fails, all that were in it fail.
 */
export class Batches<T, R> {
  private readonly waiting: Waiting<T, R>[] = [];
  private running = false;

  /** `work` answers a result for each item, in their order. */
  constructor(private readonly work: (items: readonly T[]) => Promise<readonly R[]>) {}

  add(item: T): Promise<R> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ item, resolve, reject });
      void this.run();
    });
  }

  private async run(): Promise<void> {
    if (this.running) return;
    this.running = true;
    // What is added in the same turn goes together.
    await Promise.resolve();
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, MOST_AT_ONCE);
      try {
        const results = await this.work(batch.map(({ item }) => item));
        if (results.length !== batch.length) throw new Error('a batch with another number of results');
        for (const [i, result] of results.entries()) batch[i]?.resolve(result);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.running = false;
  }
}
