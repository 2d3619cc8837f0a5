/** How often a message is sent before it is given up: at 15 seconds to start with, over 23 hours. */
export const MOST_ATTEMPTS = 8;

const FACTOR = 4;
const JITTER = 0.2;

/**
 * How long to wait after the `attempts`th attempt failed, in ms. `chance` (0 to 1) spreads what failed together by a fifth
 * to either side, so that a receiver that comes back is not met by all at once.
 */
export function retryDelayMs(firstMs: number, attempts: number, chance: number): number {
  return Math.round(firstMs * FACTOR ** (attempts - 1) * (1 + JITTER * (2 * chance - 1)));
}
