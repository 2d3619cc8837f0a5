import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { PairKernel, type UnsealableRows } from './kernel/pair-kernel.js';
import { newMaskSeed } from './mask-seed.js';
import { DELTA, Q, SLOTS_PER_SEGMENT } from './parameters.js';
import {
  asPairScore,
  cosineToPairScore,
  FULL_PAIR_SCORE,
  type QuantisedTemplate,
  quantiseTemplate,
} from './quantised-vector.js';
import { asPad, encodeRow, sealTemplate } from './sealed-row.js';
import { SealEngine } from './seal-engine.js';
import { SegmentKey } from './segment-key.js';

const MANY = 1_000_000;
const LENGTHS = [64, 80, 144, 512];

let kernel: PairKernel;

beforeAll(async () => {
  kernel = await PairKernel.load();
});

interface Plain {
  readonly template: QuantisedTemplate;
  readonly label: number;
  readonly slot: number;
}

/** Residues for all slots: any, and the outermost. */
function somePads(words: number): Uint32Array<ArrayBuffer> {
  let state = words;
  return Uint32Array.from({ length: SLOTS_PER_SEGMENT * words }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state % 7 === 0 ? ([0, 1, Q - 1, 2 ** 31][state % 4] ?? 0) : state % Q;
  });
}

const padsOf = new Map(LENGTHS.map((words) => [words, somePads(words)]));

function sealed(plain: readonly Plain[], words: number, pads = padsOf.get(words)): UnsealableRows {
  if (pads === undefined) throw new RangeError('no pads of this length');
  const rows = new Uint8Array(plain.length * words * 4);
  plain.forEach(({ template, slot }, n) => {
    const pad = asPad(pads.slice(slot * words, (slot + 1) * words));
    rows.set(sealTemplate(pad, template), n * words * 4);
  });
  return {
    rows,
    pads,
    slots: Uint16Array.from(plain, ({ slot }) => slot),
    labels: Uint32Array.from(plain, ({ label }) => label),
  };
}

/** What the kernel computes, by the plainest means: place left, place right, inner product. */
function plainPairs(left: readonly Plain[], right: readonly Plain[], threshold: number): number[][] {
  const pairs: number[][] = [];
  left.forEach((a, i) =>
    right.forEach((b, j) => {
      if ((left === right && j <= i) || a.label === b.label) return;
      const score = a.template.reduce((sum, digit, k) => sum + digit * (b.template[k] ?? 0), 0);
      if (score >= threshold) pairs.push([i, j, score]);
    }),
  );
  return pairs;
}

function foundPairs(
  left: UnsealableRows,
  right: UnsealableRows,
  words: number,
  threshold: number,
): number[][] {
  const found = kernel.pairs(left, right, words, asPairScore(threshold), MANY) ?? new Int32Array();
  const pairs = Array.from({ length: found.length / 3 }, (_, n) => [...found.subarray(3 * n, 3 * n + 3)]);
  return pairs.sort(([i = 0, j = 0], [k = 0, l = 0]) => i - k || j - l);
}

function expectPlain(
  left: readonly Plain[],
  right: readonly Plain[],
  words: number,
  threshold: number,
): void {
  const [a, b] = [sealed(left, words), sealed(right, words)];
  expect(foundPairs(a, b, words, threshold)).toEqual(plainPairs(left, right, threshold));
  expect(foundPairs(a, a, words, threshold)).toEqual(plainPairs(left, left, threshold));
}

function compareOwn(rows: UnsealableRows): unknown {
  return kernel.pairs(rows, rows, 64, asPairScore(0), MANY);
}

function faces(words: number): fc.Arbitrary<QuantisedTemplate> {
  const digits = fc.oneof(fc.constantFrom(-1, 0, 1), fc.double({ min: -1, max: 1, noNaN: true }));
  return fc
    .array(digits, { minLength: words, maxLength: words })
    .filter((values) => values.some((value) => Math.abs(value) > 1e-3))
    .map(quantiseTemplate);
}

function segments(words: number): fc.Arbitrary<Plain[]> {
  const label = fc.integer({ min: 0, max: 5 });
  const slot = fc.integer({ min: 0, max: SLOTS_PER_SEGMENT - 1 });
  return fc.uniqueArray(fc.record({ template: faces(words), label, slot }), {
    maxLength: 11,
    selector: (each) => each.slot,
  });
}

/** Deterministic faces that fill many blocks. */
function waves(seed: number, count: number): Plain[] {
  return Array.from({ length: count }, (_, n) => ({
    template: quantiseTemplate(Array.from({ length: 64 }, (__, i) => Math.sin((n + seed) * (i + 1)))),
    label: n % 300,
    slot: n,
  }));
}

const sides = fc
  .constantFrom(...LENGTHS)
  .chain((words) => fc.tuple(fc.constant(words), segments(words), segments(words)));
const thresholds = fc.integer({ min: -FULL_PAIR_SCORE, max: FULL_PAIR_SCORE });

describe('the pairs that are found among sealed rows', () => {
  test('are those of the plaintext inner products, each with its exact score, and none of one subject', () => {
    fc.assert(
      fc.property(sides, thresholds, ([words, left, right], threshold) =>
        expectPlain(left, right, words, threshold),
      ),
    );
  });

  test('are right for hundreds of templates, which do not fit into one block', () => {
    const [left, right] = [waves(1, 513), waves(100, 402)];
    const threshold = cosineToPairScore(0.3);
    expect(plainPairs(left, right, threshold).length).toBeGreaterThan(1_000);
    expectPlain(left, right, 64, threshold);
  });

  test('are right under the pads that a key makes, and two keys of one gallery', async () => {
    const engine = await SealEngine.create();
    const masks = newMaskSeed();
    using one = new SegmentKey(engine.ring, engine.createSegmentSecret());
    using other = new SegmentKey(engine.ring, engine.createSegmentSecret());
    const [left, right] = [waves(1, 100), waves(20, 90)];
    const [a, b] = [sealed(left, 64, one.pads(masks, 64)), sealed(right, 64, other.pads(masks, 64))];
    expect(foundPairs(a, b, 64, 0)).toEqual(plainPairs(left, right, 0));
    // Rows under the other's pads are noise, and refused as such.
    expect(() => kernel.pairs({ ...a, pads: b.pads }, b, 64, asPairScore(0), MANY)).toThrow(RangeError);
  });

  test('include the one that scores just what is asked for', () => {
    const [a, b] = waves(5, 2);
    if (a === undefined || b === undefined) throw new Error('no templates');
    const both = sealed([a, b], 64);
    const score = a.template.reduce((sum, digit, k) => sum + digit * (b.template[k] ?? 0), 0);
    expect(foundPairs(both, both, 64, score)).toEqual([[0, 1, score]]);
    expect(foundPairs(both, both, 64, score + 1)).toEqual([]);
  });

  test('are none at all if there are more than may be', () => {
    const [one] = waves(1, 1);
    if (one === undefined) throw new Error('no template');
    const same = sealed(
      Array.from({ length: 9 }, (_, n) => ({ ...one, label: n, slot: n })),
      64,
    );
    const find = (cosine: number, most: number): unknown =>
      kernel.pairs(same, same, 64, cosineToPairScore(cosine), most);
    expect(find(0.9, 36)).toHaveLength(36 * 3);
    expect(find(0.9, 35)).toBeUndefined();
    // What was left of the first call must not be in the next one's answer.
    expect(find(2, 36)).toHaveLength(0);
  });
});

describe('a row is refused', () => {
  const [face] = waves(3, 1);
  if (face === undefined) throw new Error('no template');
  const whole = sealed([{ ...face, slot: 7 }], 64);

  test('in another slot than its own, and where a bit of it was changed', () => {
    expect(compareOwn(whole)).toHaveLength(0);
    expect(() => compareOwn({ ...whole, slots: Uint16Array.of(8) })).toThrow(RangeError);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 64 * 32 - 1 }), (bit) => {
        const rows = whole.rows.slice();
        rows[bit >> 3] = (rows[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(() => compareOwn({ ...whole, rows })).toThrow(RangeError);
      }),
    );
  });

  test('that says more than a template can: a vector that is longer than any face', () => {
    const pad = whole.pads.slice(7 * 64, 8 * 64);
    const rowOf = (digit: number): Uint8Array =>
      encodeRow(Uint32Array.from(pad, (word, i) => (word + (i === 0 ? DELTA * digit : 0)) % Q));
    // A template of 64 numbers is at most 440 + 4 long.
    expect(compareOwn({ ...whole, rows: rowOf(444) })).toHaveLength(0);
    expect(() => compareOwn({ ...whole, rows: rowOf(445) })).toThrow(RangeError);
    expect(() => compareOwn({ ...whole, rows: rowOf(65_536) })).toThrow(RangeError);
  });
});
