import type { RingKernel, TransformedSecret, TransformedSum } from './kernel/ring-kernel.js';
import { NOISE_RANDOM_BYTES } from './kernel/ring-kernel.js';
import type { Residues } from './kernel/row-memory.js';
import { columnsOf, type MaskSeed, maskRandom, stream } from './mask-seed.js';
import { SLOTS_PER_SEGMENT, WORDS_AT_ONCE } from './parameters.js';
import { ScoreNoise } from './score-noise.js';

declare const brand: unique symbol;

const DIGIT_BYTES = SLOTS_PER_SEGMENT / 4;
const NOISE_SEED_BYTES = 32;

/** All that is secret of a segment: its key's N digits, four to a byte, and the seed of its noise. */
export type SegmentSecret = Uint8Array<ArrayBuffer> & { readonly [brand]: 'segment secret' };

/** `digits`: N coefficients in {-1, 0, 1}; `noiseSeed`: 32 random bytes. The caller MUST zero it after use. */
export function packSecret(digits: Int8Array, noiseSeed: Uint8Array): SegmentSecret {
  const packed = new Uint8Array(DIGIT_BYTES + NOISE_SEED_BYTES);
  digits.forEach((digit, i) => {
    packed[i >> 2] = (packed[i >> 2] ?? 0) | ((digit + 1) << (2 * (i & 3)));
  });
  packed.set(noiseSeed, DIGIT_BYTES);
  return asSegmentSecret(packed);
}

export function asSegmentSecret(bytes: Uint8Array): SegmentSecret {
  const secret = new Uint8Array(bytes);
  if (!isSecret(secret)) throw new RangeError('a segment secret has 544 bytes');
  return secret;
}

/** N coefficients in {-1, 0, 1}. The caller MUST zero them after use. */
export function digitsOf(secret: SegmentSecret): Int8Array {
  const digits = new Int8Array(SLOTS_PER_SEGMENT);
  for (let i = 0; i < SLOTS_PER_SEGMENT; i++) {
    digits[i] = (((secret[i >> 2] ?? 0) >> (2 * (i & 3))) & 3) - 1;
  }
  return digits;
}

/**
 * A segment's key: makes its pads and opens its scores. Segments of a gallery share their masks, so each MUST have a
 * key of its own (docs/adr/0013-segments-share-masks.md).
 */
export class SegmentKey {
  private readonly transformed: TransformedSecret;
  private readonly noiseSeed: Uint8Array;
  readonly noise: ScoreNoise;

  constructor(
    private readonly ring: RingKernel,
    secret: SegmentSecret,
  ) {
    const digits = digitsOf(secret);
    this.transformed = ring.transformSecret(digits);
    digits.fill(0);
    this.noiseSeed = secret.slice(DIGIT_BYTES);
    this.noise = new ScoreNoise(ring, this.noiseSeed);
  }

  /**
   * The N pads of the segment, `words` residues each: pad j at j·words. Always the same ones, so that they need not be
   * stored; each MUST seal one template only.
   */
  pads(masks: MaskSeed, words: number): Uint32Array<ArrayBuffer> {
    const pads = new Uint32Array(SLOTS_PER_SEGMENT * words);
    for (let i = 0; i < words; i += WORDS_AT_ONCE) {
      const zeros = this.zeros(masks, i, WORDS_AT_ONCE);
      const columns = columnsOf(zeros);
      for (let j = 0; j < SLOTS_PER_SEGMENT; j++) {
        for (let n = 0; n < WORDS_AT_ONCE; n++)
          pads[j * words + i + n] = columns[n * SLOTS_PER_SEGMENT + j] ?? 0;
      }
      for (const secret of [...zeros, columns]) secret.fill(0);
    }
    return pads;
  }

  /** b_first and those that follow, which encrypt zero together with the a_i. Secret. */
  zeros(masks: MaskSeed, first: number, count: number): Residues[] {
    const random = maskRandom(masks, first, count);
    const noises = stream(this.noiseSeed, first, count, NOISE_RANDOM_BYTES);
    return noises.map((noise, n) => {
      const zero = this.ring.hidden(random[n] ?? noise, noise, this.transformed);
      noise.fill(0);
      return zero;
    });
  }

  /**
   * Decrypts and returns the scores of `slots`, which the caller MUST zero after use. They MUST NOT be answered to whoever
   * made c0, who could ask for the key by them: genuine-scores.ts is for that.
   *
   * The noise of a score is Σ p_i·e_i with |p| ≈ 256 and e of deviation 3.24: deviation 830. It decrypts exactly below
   * q/(2t) = 8,190, nearly ten deviations: a wrong score has a probability below 10^-21, at any dimension.
   */
  openScores(c0: Residues, c1: TransformedSum, slots: ArrayLike<number>): Int32Array<ArrayBuffer> {
    const all = this.ring.open(c0, c1, this.transformed);
    // Objects for the scores would take longer than the decryption.
    const opened = new Int32Array(slots.length);
    for (let i = 0; i < slots.length; i++) opened[i] = all[slots[i] ?? 0] ?? 0;
    all.fill(0);
    return opened;
  }

  /** See RingKernel.noisyScores. */
  noisyScores(c0: Residues, c1: TransformedSum): Residues | undefined {
    return this.ring.noisyScores(c0, c1, this.transformed);
  }

  [Symbol.dispose](): void {
    this.transformed.fill(0);
    this.noiseSeed.fill(0);
    this.noise[Symbol.dispose]();
  }
}

function isSecret(bytes: Uint8Array<ArrayBuffer>): bytes is SegmentSecret {
  return bytes.length === DIGIT_BYTES + NOISE_SEED_BYTES;
}
