import type { SegmentScores } from '#custody/key-custodian';
import { MOST_PROBES, type Residues } from '#homomorphic/kernel/row-memory';
import { SLOTS_PER_SEGMENT } from '#homomorphic/parameters';
import type { QuantisedProbe } from '#homomorphic/quantised-vector';
import type { SegmentId } from '#platform/ids';
import type { GalleryLoader } from './gallery-loader.js';
import type { HeldGallery } from './held-gallery.js';
import type { MatchThreads } from './match-threads.js';
import { RowsMoved } from './moved-rows.js';
import { ScoresStream } from './scores-stream.js';

interface WaitingProbe {
  readonly probe: QuantisedProbe;
  readonly now: Date;
  readonly scores: ScoresStream;
}

/** Takes what probe k of a batch scored in one segment, for each k. */
type Matched = (scoresOf: (k: number) => SegmentScores) => void;

/** About a millisecond of a thread's time: other galleries' searches come in between. */
const BYTES_AT_ONCE = 16 * 2 ** 20;
/** Calls that a thread has in hand at once, so that it never idles. */
const IN_HAND = 2;
/** Segments that pass through from the database at once. */
const STREAMED_AT_ONCE = 3;

/** Searches of one gallery that wait at the same moment go through its memory together. */
export class SharedPass {
  private readonly waiting: WaitingProbe[] = [];
  private running = false;

  constructor(
    private readonly held: HeldGallery,
    private readonly threads: MatchThreads,
    private readonly loader: GalleryLoader,
  ) {}

  /** The scores of the slots that are live at `now`, by which the caller MUST have brought the index up to date. */
  search(probe: QuantisedProbe, now: Date): ScoresStream {
    const scores = new ScoresStream(this.held.index.segmentIds.length);
    this.waiting.push({ probe, now, scores });
    void this.run();
    return scores;
  }

  private async run(): Promise<void> {
    if (this.running) return;
    this.running = true;
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, MOST_PROBES);
      for (const { scores } of batch) scores.begin();
      try {
        await this.pass(batch);
        for (const { scores } of batch) scores.end();
      } catch (error) {
        for (const { scores } of batch) scores.fail(error);
      }
    }
    this.running = false;
  }

  private async pass(batch: readonly WaitingProbe[]): Promise<void> {
    const { id, index, resident } = this.held;
    const probes = batch.map(({ probe }) => probe);
    const now = new Date(Math.max(...batch.map((each) => each.now.getTime())));
    const { inMemory = [], streamed = [] } = Object.groupBy(index.segmentIds, (segmentId) =>
      resident.has(segmentId) ? 'inMemory' : 'streamed',
    );
    const matched: Matched = (scoresOf) =>
      batch.forEach(({ scores }, k) => scores.segmentMatched(scoresOf(k)));
    const queues = this.threads.lanes(inMemory);
    // Before any segment, whose scores cannot be opened without.
    const masks = this.threads
      .maskProducts(id, probes)
      .then((c1) => batch.forEach(({ scores }, k) => scores.masksMatched(of(c1, k))));
    const lanes = queues.flatMap((queue) =>
      Array.from({ length: IN_HAND }, () => this.matchHeld(queue, probes, now, matched)),
    );
    const streams = Array.from({ length: STREAMED_AT_ONCE }, () =>
      this.matchStreamed(streamed, probes, now, matched),
    );
    await Promise.all([masks, ...lanes, ...streams]);
  }

  /** Segments of one thread, a few at a time, until the queue is empty. */
  private async matchHeld(
    queue: SegmentId[],
    probes: readonly QuantisedProbe[],
    now: Date,
    matched: Matched,
  ): Promise<void> {
    const segmentBytes = SLOTS_PER_SEGMENT * this.held.words * 4;
    const atOnce = Math.max(1, Math.floor(BYTES_AT_ONCE / segmentBytes));
    while (queue.length > 0) {
      // Nothing awaits between reading the live slots and posting the match: later changes queue behind it.
      const live = queue
        .splice(0, atOnce)
        .map((segmentId) => ({ segmentId, slots: this.held.index.liveSlots(segmentId, now) }))
        .filter(({ slots }) => slots.length > 0);
      const ids = live.map(({ segmentId }) => segmentId);
      const products = await this.threads.segmentProducts(ids, probes);
      live.forEach((segment, i) => matched((k) => ({ ...segment, c0: of(products[i] ?? [], k) })));
    }
  }

  /** Segments that the memory has no room for: read for this pass and forgotten. */
  private async matchStreamed(
    queue: SegmentId[],
    probes: readonly QuantisedProbe[],
    now: Date,
    matched: Matched,
  ): Promise<void> {
    const { held, threads, loader } = this;
    for (let segmentId = queue.shift(); segmentId !== undefined; segmentId = queue.shift()) {
      if (held.index.liveSlots(segmentId, now).length === 0) continue;
      const { packed, whole } = await loader.readSegment(held, segmentId);
      if (!whole) throw new RowsMoved();
      const segment = { segmentId, slots: held.index.liveSlots(segmentId, now) };
      if (segment.slots.length === 0) continue;
      const products = await threads.packedProducts(held.words, packed.rows, probes);
      matched((k) => ({ ...segment, c0: spread(of(products, k), packed.slots) }));
    }
  }
}

/** Product n to the coefficient of slot `slots[n]`. */
export function spread(products: Residues, slots: ArrayLike<number>): Residues {
  const c0 = new Uint32Array(SLOTS_PER_SEGMENT);
  for (let n = 0; n < slots.length; n++) c0[slots[n] ?? 0] = products[n] ?? 0;
  return c0;
}

function of(products: readonly Residues[], k: number): Residues {
  const own = products[k];
  if (own === undefined) throw new RangeError('a probe without scores');
  return own;
}
