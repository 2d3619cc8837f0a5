import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LARGEST_DIGIT, paddedDimension, PROBE_SCALE, T, TEMPLATE_SCALE } from './parameters.js';
import {
  cosineToScore,
  FULL_SCORE,
  innerProduct,
  isProbeOf,
  InvalidEmbedding,
  quantiseProbe,
  quantiseTemplate,
} from './quantised-vector.js';

const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
const embeddings = fc
  .integer({ min: 64, max: 300 })
  .chain((length) => fc.array(finite, { minLength: length, maxLength: length }))
  .filter((values) => values.some((value) => value !== 0));

const single = (digit: number): Int8Array<ArrayBuffer> => new Int8Array(128).fill(digit, 5, 6);
const all = (length: number, value: number): number[] => Array.from({ length }, () => value);

describe('an embedding', () => {
  test('of any finite numbers is padded with zeros to a multiple of 16', () => {
    fc.assert(
      fc.property(embeddings, (embedding) => {
        for (const vector of [quantiseTemplate(embedding), quantiseProbe(embedding)]) {
          expect(vector.length).toBe(paddedDimension(embedding.length));
          expect(vector.length % 16).toBe(0);
          expect([...vector.subarray(embedding.length)].every((digit) => digit === 0)).toBe(true);
        }
      }),
    );
  });

  test('never scores so high against another, or itself, that the score would wrap', () => {
    fc.assert(
      fc.property(embeddings, (embedding) => {
        const probe = quantiseProbe(embedding);
        expect(probe.every((digit) => Math.abs(digit) <= LARGEST_DIGIT)).toBe(true);
        expect(Math.abs(innerProduct(quantiseTemplate(embedding), probe))).toBeLessThan(T / 2);
      }),
    );
    // By Cauchy and Schwarz, at the largest dimension and with every rounding for the worse.
    expect((TEMPLATE_SCALE + Math.sqrt(2048) / 2) * (PROBE_SCALE + Math.sqrt(2048) / 2)).toBeLessThan(T / 2);
  });

  test('means the same at any length, be it 1e-300 or 1e300', () => {
    const face = Array.from({ length: 128 }, (_, i) => Math.sin(i + 1));
    for (const scale of [1e-300, 1e-30, 1, 1e30, 1e300]) {
      const other = face.map((value) => value * scale);
      expect([...quantiseProbe(other)]).toEqual([...quantiseProbe(face)]);
      expect([...quantiseTemplate(other)]).toEqual([...quantiseTemplate(face)]);
    }
  });

  test.each([
    ['63 numbers', all(63, 1), 'wrong_dimension'],
    ['2,049 numbers', all(2_049, 1), 'wrong_dimension'],
    ['a NaN', [...all(127, 1), Number.NaN], 'not_finite'],
    ['an infinity', [...all(127, 1), Number.NEGATIVE_INFINITY], 'not_finite'],
    ['nothing but zeros', all(128, 0), 'zero_norm'],
  ])('with %s is refused', (_what, embedding, reason) => {
    for (const quantise of [quantiseTemplate, quantiseProbe]) {
      expect(() => quantise(embedding)).toThrow(expect.objectContaining({ reason }));
      expect(() => quantise(embedding)).toThrow(InvalidEmbedding);
    }
  });
});

describe('a probe is told from digits that no unit vector is rounded to', () => {
  const dimensions = fc.integer({ min: 64, max: 600 });
  const vectors = dimensions
    .chain((length) => fc.array(finite, { minLength: length, maxLength: length }))
    .filter((values) => values.some((value) => value !== 0));
  /** No digit near ±127, where clipping makes probes of many lengths. */
  const evenly = fc
    .integer({ min: 64, max: 600 })
    .chain((length) =>
      fc.array(fc.double({ min: 0.5, max: 1, noNaN: true }), { minLength: length, maxLength: length }),
    );

  test('whatever embedding is quantised is one, of its own dimension alone', () => {
    fc.assert(
      fc.property(vectors, (embedding) => {
        const probe = quantiseProbe(embedding);
        expect(isProbeOf(embedding.length, probe)).toBe(true);
        expect(isProbeOf(embedding.length + 16, probe)).toBe(false);
        expect(isProbeOf(embedding.length - 16, probe)).toBe(false);
      }),
    );
  });

  test('longer and shorter ones are none, nor the zero vector, nor one with a value in the padding', () => {
    fc.assert(
      fc.property(evenly, fc.constantFrom(0, 0.5, 0.75, 1.5, 2), (embedding, factor) => {
        const digits = quantiseProbe(embedding).map((digit) => Math.round(digit * factor));
        expect(isProbeOf(embedding.length, digits)).toBe(false);
      }),
    );
    const padded = quantiseProbe(all(70, 1));
    expect(isProbeOf(70, padded)).toBe(true);
    padded[70] = 1;
    expect(isProbeOf(70, padded)).toBe(false);
  });

  test('one value alone is clipped to 127, and is none when it is less, or not to be represented', () => {
    expect(isProbeOf(128, single(127))).toBe(true);
    expect(isProbeOf(128, single(126))).toBe(false);
    expect(isProbeOf(128, single(-128))).toBe(false);
  });
});

test('a score is the cosine to within what rounding can move', () => {
  const unit = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 128, maxLength: 128 });
  fc.assert(
    fc.property(unit, unit, (a, b) => {
      fc.pre(Math.hypot(...a) > 0.5 && Math.hypot(...b) > 0.5);
      // Digits beyond 127 are clipped: no real embedding has half its length in one number.
      fc.pre(
        [a, b].every((face) => face.every((value) => Math.abs(value) / Math.hypot(...face) < 127 / 256)),
      );
      const cosine =
        a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0) / Math.hypot(...a) / Math.hypot(...b);
      const score = innerProduct(quantiseTemplate(a), quantiseProbe(b));
      // |⟨m + e, p + f⟩ - ⟨m, p⟩| ≤ (440 + 256) · √d/2 + d/4, with every error at most 1/2.
      expect(Math.abs(score - cosine * FULL_SCORE)).toBeLessThanOrEqual(348 * Math.sqrt(128) + 32);
    }),
  );
});

test('a threshold is met from its cosine on', () => {
  expect(cosineToScore(1)).toBe(FULL_SCORE);
  expect(cosineToScore(0)).toBe(0);
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (cosine) => {
      const score = cosineToScore(cosine);
      expect(score / FULL_SCORE).toBeGreaterThanOrEqual(cosine);
      expect((score - 1) / FULL_SCORE).toBeLessThan(cosine);
    }),
  );
});
