import { Thread } from '#platform/thread';
import type { OpenedScore, SealCalls, ScoresToOpen } from './seal-calls.js';

/** Threads that seal templates and open scores; each has SEAL and the keys that it used last. */
export class SealThreads {
  private readonly threads: readonly Thread<SealCalls>[];

  constructor(script: URL, keyring: string, count: number) {
    this.threads = Array.from({ length: count }, () => new Thread<SealCalls>(script, keyring));
  }

  async ready(): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.call('ready', null)));
  }

  createKey(galleryId: string): Promise<Uint8Array> {
    return this.leastBusy().call('createKey', { galleryId });
  }

  seal(input: Parameters<SealCalls['seal']>[0]): Promise<Uint8Array> {
    return this.leastBusy().call('seal', input);
  }

  /** Shares the segments out among the threads; takes their scores over. The best `limit` at or above the threshold. */
  async openScores(input: ScoresToOpen): Promise<readonly OpenedScore[]> {
    const { segments, limit } = input;
    const shares = Math.min(this.threads.length, segments.length);
    const opened = await Promise.all(
      Array.from({ length: shares }, (_, share) => {
        const own = segments.filter((_segment, i) => i % shares === share);
        const buffers = own.flatMap(({ scores }) => [scores.c0.buffer, scores.c1.buffer]);
        const thread = shares === 1 ? this.leastBusy() : this.threads[share];
        return (thread ?? this.leastBusy()).call('openScores', { ...input, segments: own }, buffers);
      }),
    );
    return opened
      .flat()
      .sort((a, b) => b.score - a.score)
      .slice(0, limit);
  }

  async forget(galleryId: string): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.call('forget', { galleryId })));
  }

  async close(): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.close()));
  }

  private leastBusy(): Thread<SealCalls> {
    const [first, ...others] = this.threads;
    if (first === undefined) throw new Error('there is no thread to seal in');
    return others.reduce((best, thread) => (thread.load < best.load ? thread : best), first);
  }
}
