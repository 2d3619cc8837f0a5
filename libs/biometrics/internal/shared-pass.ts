import type { SegmentScores } from '#custody/key-custodian';
import { type EncryptedScores, MOST_PROBES } from '#homomorphic/kernel/segment-memory';
import type { QuantisedProbe } from '#homomorphic/quantised-vector';
import type { SegmentId } from '#platform/ids';
import type { GalleryIndex } from './gallery-index.js';
import type { SegmentThreads } from './segment-threads.js';

interface WaitingProbe {
  readonly probe: QuantisedProbe;
  readonly now: Date;
  readonly resolve: (scores: readonly SegmentScores[]) => void;
  readonly reject: (reason: unknown) => void;
}

/** Segments that a thread has in hand at once: it never idles, and a verification waits for two at the most. */
const IN_HAND = 2;

/** Searches of one gallery that wait at the same moment go through its memory together. */
export class SharedPass {
  private readonly waiting: WaitingProbe[] = [];
  private running = false;

  constructor(
    private readonly threads: SegmentThreads,
    private readonly index: GalleryIndex,
  ) {}

  /** The scores of the slots that are live at `now`, by which the caller MUST have brought the index up to date. */
  search(probe: QuantisedProbe, now: Date): Promise<readonly SegmentScores[]> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ probe, now, resolve, reject });
      void this.run();
    });
  }

  private async run(): Promise<void> {
    if (this.running) return;
    this.running = true;
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, MOST_PROBES);
      try {
        const scores = await this.pass(batch);
        batch.forEach(({ resolve }, k) => resolve(scores.map((ofProbe) => ofProbe(k))));
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.running = false;
  }

  /** For each segment with live slots, what a probe of the batch scored in it. */
  private async pass(batch: readonly WaitingProbe[]): Promise<((k: number) => SegmentScores)[]> {
    const probes = batch.map(({ probe }) => probe);
    const now = new Date(Math.max(...batch.map((each) => each.now.getTime())));
    const found: ((k: number) => SegmentScores)[] = [];
    const matchNext = async (queue: SegmentId[]): Promise<void> => {
      for (let segmentId = queue.shift(); segmentId !== undefined; segmentId = queue.shift()) {
        // Nothing awaits between reading the live slots and posting the match: later changes queue behind it.
        const slots = this.index.liveSlots(segmentId, now);
        if (slots.length === 0) continue;
        const scores = await this.threads.match(segmentId, probes);
        found.push(toProbe(segmentId, slots, scores));
      }
    };
    const lanes = this.threads.lanes(this.index.segmentIds);
    await Promise.all(lanes.flatMap((queue) => Array.from({ length: IN_HAND }, () => matchNext(queue))));
    return found;
  }
}

function toProbe(
  segmentId: SegmentId,
  slots: Uint16Array<ArrayBuffer>,
  scores: readonly EncryptedScores[],
): (k: number) => SegmentScores {
  return (k) => {
    const own = scores[k];
    if (own === undefined) throw new RangeError('a probe without scores');
    return { segmentId, slots, scores: own };
  };
}
