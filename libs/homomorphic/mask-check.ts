import { randomFillSync } from 'node:crypto';
import type { RingKernel, TransformedSum } from './kernel/ring-kernel.js';
import { type MaskSeed, maskRandom } from './mask-seed.js';
import { Q, SLOTS_PER_SEGMENT, WORDS_AT_ONCE } from './parameters.js';

/** Each lets a lie through with a probability of 2^-16. */
const ROUNDS = 3;

/** Products of a 16-bit weight and a residue: so many of them add up exactly in a double. */
const SUMMED_AT_ONCE = 16;

/**
 * Whether a c1 was made from a probe and a gallery's masks, without making it again (Freivalds, 1977): with secret random
 * weights w, Σ_k w[k]·c1[k] must be Σ_i p[i]·(Σ_k w[k]·a_i[k]) mod q, of which the sums in brackets are made once. It is
 * checked on the transforms, which opening needs anyway. Any other c1, be one coefficient different or all, passes with a
 * probability of at most 2^-48, as long as its maker does not know the weights.
 */
export class MaskCheck {
  private readonly weights = randomFillSync(new Uint16Array(ROUNDS * SLOTS_PER_SEGMENT));
  /** Round r, mask i at r·words + i. */
  private readonly sums: Float64Array;

  /** `words`: the padded dimension. Some milliseconds of work. */
  constructor(
    ring: RingKernel,
    seed: MaskSeed,
    private readonly words: number,
  ) {
    this.sums = new Float64Array(ROUNDS * words);
    for (let first = 0; first < words; first += WORDS_AT_ONCE) {
      maskRandom(seed, first, WORDS_AT_ONCE).forEach((random, n) => {
        const mask = ring.transformedMask(random);
        for (let round = 0; round < ROUNDS; round++)
          this.sums[round * words + first + n] = this.weighted(round, mask);
      });
    }
  }

  get bytes(): number {
    return this.weights.byteLength + this.sums.byteLength;
  }

  /** `c1`: what transformSum made of it. `probe`: as many digits as words. */
  holds(c1: TransformedSum, probe: Int8Array): boolean {
    if (probe.length !== this.words) return false;
    for (let round = 0; round < ROUNDS; round++) {
      let due = 0;
      // Below 2^50 all along: 2,048 products of 7 and 32 bits.
      for (let i = 0; i < probe.length; i++)
        due += (probe[i] ?? 0) * (this.sums[round * this.words + i] ?? 0);
      if ((due - this.weighted(round, c1)) % Q !== 0) return false;
    }
    return true;
  }

  [Symbol.dispose](): void {
    this.weights.fill(0);
    this.sums.fill(0);
  }

  private weighted(round: number, values: TransformedSum): number {
    const at = round * SLOTS_PER_SEGMENT;
    let sum = 0;
    for (let k = 0; k < SLOTS_PER_SEGMENT; k += SUMMED_AT_ONCE) {
      for (let n = k; n < k + SUMMED_AT_ONCE; n++) sum += (this.weights[at + n] ?? 0) * (values[n] ?? 0);
      sum %= Q;
    }
    return sum;
  }
}
