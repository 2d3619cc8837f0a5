import {
  cosineToPairScore,
  FULL_PAIR_SCORE,
  FULL_SCORE,
  type PairScore,
  type Score,
} from '#homomorphic/quantised-vector';
import type { Gallery, LastingGallery } from './internal/gallery.entity.js';

export type ScoreBand = 'strong' | 'sufficient';

/**
 * The most that an answer tells of a score, and only where the gallery allows it: 50 to 200 exact scores are enough
 * to rebuild a face. `strong` is the upper half of what lies between the threshold and identity.
 */
export function scoreBand(gallery: LastingGallery, score: Score, threshold: Score): ScoreBand | undefined {
  return bandOf(gallery, score, threshold, FULL_SCORE);
}

/** The same of two templates. */
export function pairBand(gallery: Gallery, score: PairScore): ScoreBand | undefined {
  return bandOf(gallery, score, cosineToPairScore(gallery.thresholdCosine), FULL_PAIR_SCORE);
}

function bandOf(
  { disclosure }: LastingGallery,
  score: number,
  threshold: number,
  full: number,
): ScoreBand | undefined {
  if (disclosure === 'none') return undefined;
  return score >= (threshold + full) / 2 ? 'strong' : 'sufficient';
}
