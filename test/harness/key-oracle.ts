import { DELTA, Q, SLOTS_PER_SEGMENT as N, T } from '#homomorphic/parameters';
import { solveWithoutNoise } from '../dumps/ring-attack.js';

/** The scores that are answered of `slots` for a c0 of the asker's choice, by slot. */
export type ScoreOracle = (
  c0: Uint32Array<ArrayBuffer>,
  slots: readonly number[],
) => ReadonlyMap<number, number>;

export interface Attack {
  /** What the segment's key would have to be. */
  readonly key: readonly bigint[];
  readonly openings: number;
}

/** So many candidates are answered at once. */
const AT_ONCE = 200;

/**
 * Asks for a segment's key with an honest c0 and c1: c0 shifted by less than ⌊q/t⌋ changes the rounded score where its noise
 * says, and without noise the key is a division.
 */
export function keyByRounding(
  oracle: ScoreOracle,
  c0: Uint32Array<ArrayBuffer>,
  c1: Uint32Array<ArrayBuffer>,
): Attack {
  const exact = new Float64Array(N);
  let openings = 0;
  const ask: ScoreOracle = (shifted, slots) => {
    openings++;
    return oracle(shifted, slots);
  };
  for (let first = 0; first < N; first += AT_ONCE) {
    const slots = Array.from({ length: Math.min(AT_ONCE, N - first) }, (_, n) => first + n);
    const honest = ask(c0, slots);
    const low = slots.map(() => 0);
    const high = slots.map(() => DELTA + 1);
    while (slots.some((_, n) => (high[n] ?? 0) - (low[n] ?? 0) > 1)) {
      const middle = slots.map((_, n) => ((low[n] ?? 0) + (high[n] ?? 0)) >> 1);
      const shifted = c0.slice();
      slots.forEach((slot, n) => (shifted[slot] = ((c0[slot] ?? 0) + (middle[n] ?? 0)) % Q));
      const answers = ask(shifted, slots);
      slots.forEach((slot, n) => {
        const same = answers.get(slot) === honest.get(slot);
        (same ? low : high)[n] = middle[n] ?? 0;
      });
    }
    slots.forEach((slot, n) => {
      exact[slot] = Math.ceil((((honest.get(slot) ?? 0) + 0.5) * Q) / T) - (high[n] ?? 0);
    });
  }
  const rest = Uint32Array.from(exact, (value, slot) => (((value - (c0[slot] ?? 0)) % Q) + Q) % Q);
  return { key: solveWithoutNoise(c1, rest), openings };
}
