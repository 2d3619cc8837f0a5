import { Thread } from '#platform/thread';
import type { HeldSecrets } from '../key-custodian.js';
import type { WrappingKeyTexts } from '../wrapping-keys.js';
import type { OpenedScore, OpenedScores, SealCalls, ScoresToOpen, WrappedSecret } from './seal-calls.js';

/** About half a millisecond of a thread's time. */
const SEGMENTS_AT_ONCE = 8;

/** Threads that open scores; each has the keys that it used last. */
export class SealThreads {
  private readonly threads: readonly Thread<SealCalls>[];

  constructor(script: URL, keys: WrappingKeyTexts, count: number) {
    this.threads = Array.from({ length: count }, () => new Thread<SealCalls>(script, keys));
  }

  async ready(): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.call('ready', null)));
  }

  /**
   * Shares the segments out among the threads, a few at a time, so that a verification never waits for a whole
   * search; takes their scores over. The best `limit` at or above the threshold; undefined if c1 was not made from the probe,
   * or a word of c0 is no residue.
   */
  async openScores(input: ScoresToOpen): Promise<OpenedScores | undefined> {
    const { limit } = input;
    const queue = chunks(input.segments, SEGMENTS_AT_ONCE);
    const opened: OpenedScore[] = [];
    let lied = false;
    let forged = 0;
    const openNext = async (thread: Thread<SealCalls>): Promise<void> => {
      for (let segments = queue.shift(); segments !== undefined; segments = queue.shift()) {
        const buffers = segments.map(({ c0 }) => c0.buffer);
        const found = await thread.call('openScores', { ...input, segments }, buffers);
        if (found === undefined) {
          lied = true;
          continue;
        }
        opened.push(...found.best);
        forged += found.forged;
      }
    };
    const threads = queue.length > 1 ? this.threads : [this.leastBusy()];
    await Promise.all(threads.map(openNext));
    if (lied) return undefined;
    return { best: opened.sort((a, b) => b.score - a.score).slice(0, limit), forged };
  }

  checkKeys(keys: readonly WrappedSecret[]): Promise<boolean> {
    return this.leastBusy().call('checkKeys', keys);
  }

  async held(): Promise<readonly HeldSecrets[]> {
    return Promise.all(this.threads.map((thread) => thread.call('held', null)));
  }

  async forget(galleryId: string): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.call('forget', { galleryId })));
  }

  async close(): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.close()));
  }

  private leastBusy(): Thread<SealCalls> {
    const [first, ...others] = this.threads;
    if (first === undefined) throw new Error('there is no thread to open scores in');
    return others.reduce((best, thread) => (thread.load < best.load ? thread : best), first);
  }
}

function chunks<T>(values: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(values.length / size) }, (_, i) =>
    values.slice(i * size, (i + 1) * size),
  );
}
