import { giveBack } from './give-back.js';
import type { TransformedSum } from './kernel/ring-kernel.js';
import type { Residues } from './kernel/row-memory.js';
import { DELTA, Q, T } from './parameters.js';
import { type OffsetBlocks, offsetBlocks } from './score-noise.js';
import type { SegmentKey } from './segment-key.js';

/** Of 32 random bits as many are left away: offsets are below 2^24. */
const OFFSET_SHIFT = 8;

export interface SegmentToOpen {
  readonly key: SegmentKey;
  readonly slots: ArrayLike<number>;
  readonly c0: Residues;
}

export interface GenuineScore<S extends SegmentToOpen> {
  readonly segment: S;
  readonly slot: number;
  readonly score: number;
}

export interface GenuineScores<S extends SegmentToOpen> {
  /** Best first. */
  readonly best: readonly GenuineScore<S>[];
  /** How many were looked at that no row and probe have made. */
  readonly forged: number;
}

interface Suspect<S extends SegmentToOpen> {
  readonly segment: S;
  readonly slot: number;
  readonly noisy: number;
  /** Above its score × DELTA, if it is genuine. */
  readonly bound: number;
}

/**
 * The best `limit` scores at or above `threshold`, of those slots alone whose word of c0 is the product of `probe` and a row
 * that was sealed there: then c0 + c1·s is the score × DELTA and exactly the noise that the row was given. Undefined if a
 * word of c0 is no residue. `c1` MUST be made from `probe`.
 *
 * Whether another word would have reached the threshold nobody may learn, not by the time either: a shift of c0 below
 * DELTA at which that changes tells the noise, and the noise of all slots the key. So which words are looked at is decided with
 * an offset that is secret, 2^10 times DELTA wide, and always the same for a slot and a probe: what can be learnt is the
 * noise and the offset together (docs/adr/0047-only-genuine-scores-are-opened.md).
 */
export function genuineScores<S extends SegmentToOpen>(
  segments: readonly S[],
  c1: TransformedSum,
  probe: Int8Array,
  threshold: number,
  limit: number,
): GenuineScores<S> | undefined {
  const suspects: Suspect<S>[] = [];
  const blocks = offsetBlocks(probe);
  for (const segment of segments) {
    if (!addSuspects(suspects, segment, c1, blocks, threshold * DELTA)) return undefined;
  }
  suspects.sort((a, b) => b.bound - a.bound);
  const best: GenuineScore<S>[] = [];
  let forged = 0;
  for (const { segment, slot, noisy, bound } of suspects) {
    const worst = best[limit - 1];
    if (limit === 0 || (worst !== undefined && worst.score * DELTA >= bound)) break;
    const score = centred(noisy - segment.key.noise.of(slot, probe)) / DELTA;
    if (!Number.isInteger(score)) forged++;
    else if (score >= threshold && score < T / 2) insert(best, { segment, slot, score });
  }
  return { best: best.slice(0, limit), forged };
}

function addSuspects<S extends SegmentToOpen>(
  suspects: Suspect<S>[],
  segment: S,
  c1: TransformedSum,
  blocks: OffsetBlocks,
  least: number,
): boolean {
  const { key, slots, c0 } = segment;
  const noisyScores = key.noisyScores(c0, c1);
  if (noisyScores === undefined) return false;
  const offsets = key.noise.offsets(blocks);
  for (let i = 0; i < slots.length; i++) {
    const slot = slots[i] ?? 0;
    const noisy = noisyScores[slot] ?? 0;
    // Noise is below DELTA / 2.
    const bound = (noisy > Q / 2 ? noisy - Q : noisy) + DELTA + ((offsets[slot] ?? 0) >>> OFFSET_SHIFT);
    if (bound >= least) suspects.push({ segment, slot, noisy, bound });
  }
  giveBack(noisyScores);
  giveBack(offsets);
  return true;
}

/** x mod q in (-q/2, q/2), for -q < x < 2q. */
function centred(x: number): number {
  const residue = (x + Q) % Q;
  return residue > Q / 2 ? residue - Q : residue;
}

/** Into what is sorted by score, the best first. */
function insert<S extends SegmentToOpen>(best: GenuineScore<S>[], one: GenuineScore<S>): void {
  const at = best.findLastIndex(({ score }) => score >= one.score);
  best.splice(at + 1, 0, one);
}
