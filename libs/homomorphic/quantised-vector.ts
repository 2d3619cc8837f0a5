import { LARGEST_DIGIT, MAX_DIMENSION, MIN_DIMENSION, paddedDimension, SCALE } from './parameters.js';

declare const brand: unique symbol;

/** A unit vector × 256, rounded to integers in [-127, 127] and padded with zeros to a multiple of 16. */
export type QuantisedVector = Int8Array<ArrayBuffer> & { readonly [brand]: 'quantised' };

/** A comparison score: the integer inner product of two quantised vectors; cosine ≈ score / 65,536. */
export type Score = number & { readonly [brand]: 'score' };

export type InvalidEmbeddingReason = 'wrong_dimension' | 'not_finite' | 'zero_norm';

export class InvalidEmbedding extends Error {
  override readonly name = 'InvalidEmbedding';

  constructor(readonly reason: InvalidEmbeddingReason) {
    super(`embedding refused: ${reason}`);
  }
}

/**
 * Normalises and quantises an embedding; throws InvalidEmbedding.
 *
 * Rounding moves each of d values by at most 1/2, so the length is at most 256 + √d/2 ≤ 278.7 and, by Cauchy and
 * Schwarz, |score| ≤ 278.7² < 77,673 < t/2 = 131,072: a score never wraps, and its noise (see openScores) is that
 * of a probe of length 256, whatever the dimension.
 */
export function quantise(embedding: ArrayLike<number>): QuantisedVector {
  const dimension = embedding.length;
  if (dimension < MIN_DIMENSION || dimension > MAX_DIMENSION) throw new InvalidEmbedding('wrong_dimension');
  const values = Float64Array.from(embedding);
  if (!values.every(Number.isFinite)) throw new InvalidEmbedding('not_finite');
  // Dividing by the largest value first keeps the squares of very large or very small values finite and non-zero.
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (largest === 0) throw new InvalidEmbedding('zero_norm');
  let squares = 0;
  for (const value of values) squares += (value / largest) ** 2;
  const factor = SCALE / Math.sqrt(squares);
  const digits = new Int8Array(paddedDimension(dimension));
  values.forEach((value, i) => {
    digits[i] = Math.max(-LARGEST_DIGIT, Math.min(LARGEST_DIGIT, Math.round((value / largest) * factor)));
  });
  return asQuantisedVector(digits);
}

/** Brands digits that came back from a thread or a store; throws RangeError if they cannot be a quantised vector. */
export function asQuantisedVector(digits: Int8Array<ArrayBuffer>): QuantisedVector {
  if (!isQuantisedVector(digits)) throw new RangeError('not a quantised vector');
  return digits;
}

function isQuantisedVector(digits: Int8Array<ArrayBuffer>): digits is QuantisedVector {
  let squares = 0;
  for (const digit of digits) {
    if (digit < -LARGEST_DIGIT) return false;
    squares += digit * digit;
  }
  const longest = (SCALE + Math.sqrt(digits.length) / 2) ** 2;
  return digits.length >= MIN_DIMENSION && digits.length % 16 === 0 && squares <= longest;
}

/** The plaintext reference of what the encrypted match computes. */
export function innerProduct(a: QuantisedVector, b: QuantisedVector): Score {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return asScore(sum);
}

/** The smallest score that counts as a match at this cosine. */
export function cosineToScore(cosine: number): Score {
  return asScore(Math.ceil(cosine * SCALE * SCALE));
}

export function asScore(value: number): Score {
  if (!isScore(value)) throw new RangeError('not a score');
  return value;
}

function isScore(value: number): value is Score {
  return Number.isInteger(value);
}
