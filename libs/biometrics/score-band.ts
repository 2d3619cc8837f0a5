import { FULL_SCORE, type Score } from '#homomorphic/quantised-vector';
import type { Gallery } from './internal/gallery.entity.js';

export type ScoreBand = 'strong' | 'sufficient';

/**
 * The most that an answer tells of a score, and only where the gallery allows it: 50 to 200 exact scores are enough
 * to rebuild a face. `strong` is the upper half of what lies between the threshold and identity.
 */
export function scoreBand(gallery: Gallery, score: Score): ScoreBand | undefined {
  if (gallery.disclosure === 'none') return undefined;
  return score >= (gallery.thresholdScore + FULL_SCORE) / 2 ? 'strong' : 'sufficient';
}
