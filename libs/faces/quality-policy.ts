import type { PresentationSignals } from './face-analysis.js';

/** `real` alone would refuse 13.8 % of LFW's genuine photographs and `live` 2 % (FACES.md), so both must agree. */
const LEAST_REAL = 0.5;
const LEAST_LIVE = 0.5;

export function suspectsSpoof({ real, live }: PresentationSignals): boolean {
  return real < LEAST_REAL && live < LEAST_LIVE;
}
