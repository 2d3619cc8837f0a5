import fc from 'fast-check';
import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { type LabelledTemplates, PairKernel } from './kernel/pair-kernel.js';
import { newMaskSeed } from './mask-seed.js';
import { Q } from './parameters.js';
import {
  asPairScore,
  cosineToPairScore,
  FULL_PAIR_SCORE,
  type QuantisedTemplate,
  quantiseTemplate,
} from './quantised-vector.js';
import { asPad, encodeRow, type Pad, sealTemplate, unsealTemplate } from './sealed-row.js';
import { SealEngine } from './seal-engine.js';
import { SegmentKey } from './segment-key.js';

const MANY = 1_000_000;

let kernel: PairKernel;

beforeAll(async () => {
  kernel = await PairKernel.load();
});

/** What the kernel computes, by the plainest means: place left, place right, inner product. */
function plainPairs(left: LabelledTemplates, right: LabelledTemplates, threshold: number): number[][] {
  const pairs: number[][] = [];
  left.templates.forEach((a, i) =>
    right.templates.forEach((b, j) => {
      if (left === right && j <= i) return;
      if (left.labels[i] === right.labels[j]) return;
      const score = a.reduce((sum, digit, k) => sum + digit * (b[k] ?? 0), 0);
      if (score >= threshold) pairs.push([i, j, score]);
    }),
  );
  return pairs;
}

function foundPairs(left: LabelledTemplates, right: LabelledTemplates, threshold: number): number[][] {
  const found = kernel.pairs(left, right, asPairScore(threshold), MANY) ?? new Int32Array();
  const pairs = Array.from({ length: found.length / 3 }, (_, n) => [...found.subarray(3 * n, 3 * n + 3)]);
  return pairs.sort(([i = 0, j = 0], [k = 0, l = 0]) => i - k || j - l);
}

function faces(words: number): fc.Arbitrary<QuantisedTemplate> {
  const digits = fc.oneof(fc.constantFrom(-1, 0, 1), fc.double({ min: -1, max: 1, noNaN: true }));
  return fc
    .array(digits, { minLength: words, maxLength: words })
    .filter((values) => values.some((value) => Math.abs(value) > 1e-3))
    .map(quantiseTemplate);
}

function labelled(words: number): fc.Arbitrary<LabelledTemplates> {
  return fc.array(fc.tuple(faces(words), fc.integer({ min: 0, max: 5 })), { maxLength: 11 }).map((each) => ({
    templates: each.map(([template]) => template),
    labels: Uint32Array.from(each, ([, label]) => label),
  }));
}

function waves(seed: number, count: number): LabelledTemplates {
  return {
    templates: Array.from({ length: count }, (_, n) =>
      quantiseTemplate(Array.from({ length: 64 }, (__, i) => Math.sin((n + seed) * (i + 1)))),
    ),
    labels: Uint32Array.from({ length: count }, (_, n) => n % 300),
  };
}

function randomPad(): Pad {
  return asPad(Uint32Array.from({ length: 64 }, () => randomBytes(4).readUInt32LE() % Q));
}

const sides = fc.constantFrom(64, 80, 144, 512).chain((words) => fc.tuple(labelled(words), labelled(words)));
const thresholds = fc.integer({ min: -FULL_PAIR_SCORE, max: FULL_PAIR_SCORE });

describe('the pairs that are found', () => {
  test('are those of the plaintext inner products, each with its exact score, and none of one subject', () => {
    fc.assert(
      fc.property(sides, thresholds, ([left, right], threshold) => {
        expect(foundPairs(left, right, threshold)).toEqual(plainPairs(left, right, threshold));
        expect(foundPairs(left, left, threshold)).toEqual(plainPairs(left, left, threshold));
      }),
    );
  });

  test('are right for whole segments, where the templates do not fit into one block', () => {
    const [left, right] = [waves(1, 513), waves(100, 402)];
    const threshold = cosineToPairScore(0.3);
    const across = plainPairs(left, right, threshold);
    expect(across.length).toBeGreaterThan(1_000);
    expect(foundPairs(left, right, threshold)).toEqual(across);
    expect(foundPairs(left, left, threshold)).toEqual(plainPairs(left, left, threshold));
  });

  test('include the one that scores just what is asked for', () => {
    const [a, b] = [1, 1.1].map((x) =>
      quantiseTemplate(Array.from({ length: 64 }, (_, i) => Math.sin(x * i))),
    );
    if (a === undefined || b === undefined) throw new Error('no templates');
    const both = { templates: [a, b], labels: Uint32Array.of(1, 2) };
    const score = a.reduce((sum, digit, k) => sum + digit * (b[k] ?? 0), 0);
    expect(foundPairs(both, both, score)).toEqual([[0, 1, score]]);
    expect(foundPairs(both, both, score + 1)).toEqual([]);
  });

  test('are none at all if there are more than may be', () => {
    const face = quantiseTemplate(Array.from({ length: 64 }, () => 1));
    const same = {
      templates: Array.from({ length: 9 }, () => face),
      labels: Uint32Array.from(Array(9).keys()),
    };
    expect(kernel.pairs(same, same, cosineToPairScore(0.9), 36)).toHaveLength(36 * 3);
    expect(kernel.pairs(same, same, cosineToPairScore(0.9), 35)).toBeUndefined();
    // What was left of the first call must not be in the second one's answer.
    expect(kernel.pairs(same, same, cosineToPairScore(2), 36)).toHaveLength(0);
  });
});

describe('a sealed template', () => {
  const residue = fc.oneof(fc.constantFrom(0, 1, Q - 1), fc.integer({ min: 0, max: Q - 1 }));
  const pads = fc
    .array(residue, { minLength: 64, maxLength: 64 })
    .map((words): Pad => asPad(Uint32Array.from(words)));

  test('is unsealed to what was sealed, whatever its pad', () => {
    fc.assert(
      fc.property(faces(64), pads, (template, pad) => {
        expect(unsealTemplate(pad, sealTemplate(pad, template))).toEqual(template);
      }),
    );
  });

  test('is unsealed with the pads that its key makes', async () => {
    const engine = await SealEngine.create();
    using key = new SegmentKey(engine.ring, engine.createSegmentSecret());
    const made = key.pads(newMaskSeed(), 128);
    for (const slot of [0, 1, 2047]) {
      const pad = asPad(made.slice(slot * 128, (slot + 1) * 128));
      const template = quantiseTemplate(Array.from({ length: 128 }, (_, i) => Math.sin(slot + i)));
      expect(unsealTemplate(pad, sealTemplate(pad, template))).toEqual(template);
    }
  });

  test('is not unsealed with another pad, and neither is a row that was changed', () => {
    const template = quantiseTemplate(Array.from({ length: 64 }, (_, i) => Math.sin(i)));
    const pad = randomPad();
    const row = sealTemplate(pad, template);
    expect(() => unsealTemplate(randomPad(), row)).toThrow(RangeError);
    row[0] = (row[0] ?? 0) ^ 1;
    expect(() => unsealTemplate(pad, row)).toThrow(RangeError);
    // Of the right form, but longer than any template.
    const long = encodeRow(Uint32Array.from(pad, (word) => (word + 16_380 * 100) % Q));
    expect(() => unsealTemplate(pad, long)).toThrow(RangeError);
  });
});
