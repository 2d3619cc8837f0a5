import { loadKernel, RowMemory } from '#homomorphic/kernel/row-memory';
import { expandMasks, newMaskSeed } from '#homomorphic/mask-seed';
import { paddedDimension, SLOTS_PER_SEGMENT } from '#homomorphic/parameters';
import { FULL_SCORE, quantiseProbe, quantiseTemplate } from '#homomorphic/quantised-vector';
import { asPad, sealTemplate } from '#homomorphic/sealed-row';
import { SealEngine } from '#homomorphic/seal-engine';
import { SegmentKey } from '#homomorphic/segment-key';

/** Scores are counted in steps of the encrypted engine's: a cosine of 1 is FULL_SCORE. */
export const STEPS = FULL_SCORE;

/** n × n comparison scores, in steps from -STEPS·1.2 up: what `binOf` makes of a score. */
export type Comparisons = Uint32Array;

/** Rounding lets the score of two equal faces pass a cosine of 1 a little. */
const LOWEST = -1.2 * STEPS;
export const BINS = Math.ceil(2.4 * STEPS) + 1;

export function cosineOfBin(bin: number): number {
  return (bin + LOWEST) / STEPS;
}

function binOf(score: number): number {
  return Math.max(0, Math.min(BINS - 1, Math.round(score - LOWEST)));
}

/** Every embedding against every other in float32's precision, without encryption. */
export function plaintextComparisons(embeddings: readonly Float32Array[]): Comparisons {
  const n = embeddings.length;
  const bins = new Uint32Array(n * n);
  embeddings.forEach((a, i) => {
    embeddings.forEach((b, j) => {
      let cosine = 0;
      for (let k = 0; k < a.length; k++) cosine += (a[k] ?? 0) * (b[k] ?? 0);
      bins[i * n + j] = binOf(cosine * STEPS);
    });
  });
  return bins;
}

/** The same through the engine: sealed, matched while sealed, opened. */
export async function encryptedComparisons(embeddings: readonly Float32Array[]): Promise<Comparisons> {
  const n = embeddings.length;
  const words = paddedDimension(embeddings[0]?.length ?? 0);
  const engine = await SealEngine.create();
  const kernel = await loadKernel();
  const seed = newMaskSeed();
  const masks = new RowMemory(kernel, words);
  masks.setRows(expandMasks(engine.ring, seed, words));
  const segments: { key: SegmentKey; rows: RowMemory; first: number; slots: number[] }[] = [];
  for (let first = 0; first < n; first += SLOTS_PER_SEGMENT) {
    const key = new SegmentKey(engine.ring, engine.createSegmentSecret());
    const pads = key.pads(seed, words);
    const rows = new RowMemory(kernel, words);
    const slots = Array.from({ length: Math.min(SLOTS_PER_SEGMENT, n - first) }, (_, slot) => slot);
    for (const slot of slots) {
      const pad = asPad(pads.slice(slot * words, (slot + 1) * words));
      rows.setRow(slot, sealTemplate(pad, quantiseTemplate(embeddings[first + slot] ?? [])));
    }
    segments.push({ key, rows, first, slots });
  }
  const bins = new Uint32Array(n * n);
  embeddings.forEach((embedding, i) => {
    const probe = quantiseProbe(embedding);
    const c1 = engine.ring.transformSum(onlyOne(masks.products([probe])));
    for (const { key, rows, first, slots } of segments) {
      key.openScores(onlyOne(rows.products([probe])), c1, slots).forEach((score, slot) => {
        bins[i * n + first + slot] = binOf(score);
      });
    }
  });
  return bins;
}

function onlyOne<T>([value]: readonly T[]): T {
  if (value === undefined) throw new RangeError('nothing where one was due');
  return value;
}
