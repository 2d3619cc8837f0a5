import type { ThresholdChoice } from '#biometrics/gallery-threshold';
import { InvalidRequest } from '#platform/platform.errors';
import type { ThresholdBody } from './gallery.dto.js';

/** Throws InvalidRequest unless there is one of the two. */
export function thresholdOf({ cosine, targetFalseMatchRate }: ThresholdBody): ThresholdChoice {
  if (cosine !== undefined && targetFalseMatchRate === undefined) return { cosine };
  if (targetFalseMatchRate !== undefined && cosine === undefined) return { targetFalseMatchRate };
  throw new InvalidRequest([
    { field: 'threshold', message: 'must have either targetFalseMatchRate or cosine' },
  ]);
}
