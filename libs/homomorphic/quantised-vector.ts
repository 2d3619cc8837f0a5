import {
  LARGEST_DIGIT,
  MAX_DIMENSION,
  MIN_DIMENSION,
  paddedDimension,
  PROBE_SCALE,
  TEMPLATE_SCALE,
} from './parameters.js';

declare const brand: unique symbol;

/** Of the length of a vector that was normalised in doubles; far more than 2,048 roundings add up to. */
const FLOAT_ERROR = 1e-9;

/** A unit vector × TEMPLATE_SCALE, rounded to integers and padded with zeros to a multiple of 16. */
export type QuantisedTemplate = Int16Array<ArrayBuffer> & { readonly [brand]: 'template' };

/** A unit vector × PROBE_SCALE, rounded to integers in [-127, 127] and padded likewise. */
export type QuantisedProbe = Int8Array<ArrayBuffer> & { readonly [brand]: 'probe' };

/** A comparison score: the integer inner product of a template and a probe; cosine ≈ score / FULL_SCORE. */
export type Score = number & { readonly [brand]: 'score' };

/** The score of a face with itself, up to rounding. */
export const FULL_SCORE = TEMPLATE_SCALE * PROBE_SCALE;

/** The integer inner product of two templates: cosine ≈ score / FULL_PAIR_SCORE. No Score: its scale is another. */
export type PairScore = number & { readonly [brand]: 'pair score' };

export const FULL_PAIR_SCORE = TEMPLATE_SCALE ** 2;

export type InvalidEmbeddingReason = 'wrong_dimension' | 'not_finite' | 'zero_norm';

export class InvalidEmbedding extends Error {
  override readonly name = 'InvalidEmbedding';

  constructor(readonly reason: InvalidEmbeddingReason) {
    super(`embedding refused: ${reason}`);
  }
}

/**
 * Normalises and quantises an embedding to be sealed; throws InvalidEmbedding.
 *
 * Rounding moves each of d values by at most 1/2, so a template is at most 440 + √d/2 ≤ 462.7 long and a probe
 * 256 + √d/2 ≤ 278.7. By Cauchy and Schwarz |score| < 128,950 < t/2 = 131,072: a score never wraps. Its noise (see
 * openScores) depends on the probe alone.
 */
export function quantiseTemplate(embedding: ArrayLike<number>): QuantisedTemplate {
  const digits = new Int16Array(paddedDimension(embedding.length));
  scaled(embedding, TEMPLATE_SCALE).forEach((value, i) => {
    digits[i] = Math.round(value);
  });
  return asQuantisedTemplate(digits);
}

/** The same for an embedding to be compared. */
export function quantiseProbe(embedding: ArrayLike<number>): QuantisedProbe {
  const digits = new Int8Array(paddedDimension(embedding.length));
  scaled(embedding, PROBE_SCALE).forEach((value, i) => {
    digits[i] = Math.max(-LARGEST_DIGIT, Math.min(LARGEST_DIGIT, Math.round(value)));
  });
  return asQuantisedProbe(digits);
}

function scaled(embedding: ArrayLike<number>, scale: number): Float64Array {
  const dimension = embedding.length;
  if (dimension < MIN_DIMENSION || dimension > MAX_DIMENSION) throw new InvalidEmbedding('wrong_dimension');
  const values = Float64Array.from(embedding);
  if (!values.every(Number.isFinite)) throw new InvalidEmbedding('not_finite');
  // Dividing by the largest value first keeps the squares of very large or very small values finite and non-zero.
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (largest === 0) throw new InvalidEmbedding('zero_norm');
  let squares = 0;
  for (const value of values) squares += (value / largest) ** 2;
  const factor = scale / Math.sqrt(squares);
  return values.map((value) => (value / largest) * factor);
}

/** Brands digits that came back from a thread; throws RangeError if they cannot be a quantised template. */
export function asQuantisedTemplate(digits: Int16Array<ArrayBuffer>): QuantisedTemplate {
  if (!isTemplate(digits)) throw new RangeError('not a quantised template');
  return digits;
}

/** Brands digits that came back from a thread; throws RangeError if they cannot be a quantised probe. */
export function asQuantisedProbe(digits: Int8Array<ArrayBuffer>): QuantisedProbe {
  if (!isProbe(digits)) throw new RangeError('not a quantised probe');
  return digits;
}

/**
 * Whether some unit vector of `dimension` values is rounded to exactly these digits: the shortest vector of those that are
 * is at most PROBE_SCALE long, and the longest at least. A digit of ±127 may have been clipped from any length.
 */
export function isProbeOf(dimension: number, digits: Int8Array): boolean {
  if (digits.length !== paddedDimension(dimension)) return false;
  let shortest = 0;
  let longest = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = Math.abs(digits[i] ?? 0);
    if (digit > LARGEST_DIGIT || (i >= dimension && digit > 0)) return false;
    if (i >= dimension) continue;
    if (digit > 0) shortest += (digit - 1 / 2) ** 2;
    longest += digit === LARGEST_DIGIT ? Infinity : (digit + 1 / 2) ** 2;
  }
  return shortest <= PROBE_SCALE ** 2 * (1 + FLOAT_ERROR) && longest >= PROBE_SCALE ** 2 * (1 - FLOAT_ERROR);
}

function isTemplate(digits: Int16Array<ArrayBuffer>): digits is QuantisedTemplate {
  return fits(digits, TEMPLATE_SCALE);
}

function isProbe(digits: Int8Array<ArrayBuffer>): digits is QuantisedProbe {
  return digits.every((digit) => digit >= -LARGEST_DIGIT) && fits(digits, PROBE_SCALE);
}

function fits(digits: Int16Array | Int8Array, scale: number): boolean {
  let squares = 0;
  for (const digit of digits) squares += digit * digit;
  return (
    digits.length >= MIN_DIMENSION && digits.length % 16 === 0 && squares <= mostSquares(digits.length, scale)
  );
}

/** Of a unit vector × `scale` whose values are rounded, each by at most 1/2. */
function mostSquares(words: number, scale: number): number {
  return (scale + Math.sqrt(words) / 2) ** 2;
}

/** The squares of a template's digits add up to no more. */
export function mostTemplateSquares(words: number): number {
  return Math.floor(mostSquares(words, TEMPLATE_SCALE));
}

/** The plaintext reference of what the encrypted match computes. */
export function innerProduct(template: QuantisedTemplate, probe: QuantisedProbe): Score {
  let sum = 0;
  for (let i = 0; i < template.length; i++) sum += (template[i] ?? 0) * (probe[i] ?? 0);
  return asScore(sum);
}

/** The smallest score that counts as a match at this cosine. */
export function cosineToScore(cosine: number): Score {
  return asScore(Math.ceil(cosine * FULL_SCORE));
}

/** The smallest inner product of two templates that counts as a match at this cosine. */
export function cosineToPairScore(cosine: number): PairScore {
  return asPairScore(Math.ceil(cosine * FULL_PAIR_SCORE));
}

export function asPairScore(value: number): PairScore {
  if (!isPairScore(value)) throw new RangeError('not a score of a pair');
  return value;
}

export function asScore(value: number): Score {
  if (!isScore(value)) throw new RangeError('not a score');
  return value;
}

function isScore(value: number): value is Score {
  return Number.isInteger(value);
}

function isPairScore(value: number): value is PairScore {
  return Number.isInteger(value);
}
