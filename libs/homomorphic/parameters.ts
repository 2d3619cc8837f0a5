/**
 * BFV parameters (DESIGN.md section 3). SEAL accepts them at 192 bits of classical security: for N = 2048 the
 * HomomorphicEncryption.org standard allows a coefficient modulus of 37 bits, and q has 32.
 */
export const SLOTS_PER_SEGMENT = 2048;

/** q = 2^32 - 2^20 + 1, a prime ≡ 1 mod 2N as SEAL's NTT needs, and ≡ 1 mod t. */
export const Q = 0xfff00001;

/** t: scores lie in (-t/2, t/2). */
export const T = 2 ** 18;

/** ⌊q/t⌋. As q ≡ 1 mod t, a template value m is lifted to exactly m·DELTA: quantised scores carry no rounding. */
export const DELTA = (Q - 1) / T;

/** A unit vector is scaled to this length before it is rounded to integers: docs/adr/0011-finer-templates.md. */
export const TEMPLATE_SCALE = 440;
export const PROBE_SCALE = 256;

/** Of a probe: the kernel's sums of 16-bit products stay below 2^31. */
export const LARGEST_DIGIT = 127;

export const MIN_DIMENSION = 64;
export const MAX_DIMENSION = 2048;

/** The kernel reads 16 words at a time, a processor's cache line. */
export const WORDS_AT_ONCE = 16;

/** The number of words of a row for embeddings of `dimension` values. */
export function paddedDimension(dimension: number): number {
  return Math.ceil(dimension / WORDS_AT_ONCE) * WORDS_AT_ONCE;
}
