import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { RingKernel } from './kernel/ring-kernel.js';
import { loadKernel, type Residues, RowMemory } from './kernel/row-memory.js';
import { MaskCheck } from './mask-check.js';
import { expandMasks, newMaskSeed } from './mask-seed.js';
import { Q, SLOTS_PER_SEGMENT } from './parameters.js';
import { type QuantisedProbe, quantiseProbe } from './quantised-vector.js';

const WORDS = 64;

const seed = newMaskSeed();
let ring: RingKernel;
let masks: RowMemory;
let check: MaskCheck;

beforeAll(async () => {
  ring = await RingKernel.load();
  masks = new RowMemory(await loadKernel(), WORDS);
  masks.setRows(expandMasks(ring, seed, WORDS));
  check = new MaskCheck(ring, seed, WORDS);
});

const probes = fc
  .array(fc.integer({ min: -1_000, max: 1_000 }), { minLength: WORDS, maxLength: WORDS })
  .filter((values) => values.some((value) => value !== 0))
  .map(quantiseProbe);

function c1Of(probe: QuantisedProbe): Residues {
  const [c1] = masks.products([probe]);
  if (c1 === undefined) throw new Error('no products');
  return c1;
}

function shifted(c1: Residues, k: number, by: number): Residues {
  const other = c1.slice();
  other[k] = ((c1[k] ?? 0) + by) % Q;
  return other;
}

describe('a c1', () => {
  test('that the masks and the probe make holds, whatever the probe', () => {
    fc.assert(
      fc.property(probes, (probe) => {
        expect(check.holds(ring.transformSum(c1Of(probe)), probe)).toBe(true);
      }),
    );
  });

  test('does not hold when one coefficient is another, by whatever', () => {
    const places = fc.integer({ min: 0, max: SLOTS_PER_SEGMENT - 1 });
    fc.assert(
      fc.property(probes, places, fc.integer({ min: 1, max: Q - 1 }), (probe, k, by) => {
        expect(check.holds(ring.transformSum(shifted(c1Of(probe), k, by)), probe)).toBe(false);
      }),
    );
  });

  test('does not hold when one coefficient of its transform is another, which changes a little of each score', () => {
    const places = fc.integer({ min: 0, max: SLOTS_PER_SEGMENT - 1 });
    fc.assert(
      fc.property(probes, places, fc.integer({ min: 1, max: Q - 1 }), (probe, k, by) => {
        expect(check.holds(shifted(ring.transformSum(c1Of(probe)), k, by), probe)).toBe(false);
      }),
    );
  });

  test('does not hold for another probe, even of one digit', () => {
    fc.assert(
      fc.property(probes, fc.integer({ min: 0, max: WORDS - 1 }), (probe, i) => {
        const other = probe.slice();
        other[i] = (other[i] ?? 0) === 127 ? 126 : (other[i] ?? 0) + 1;
        expect(check.holds(ring.transformSum(c1Of(probe)), other)).toBe(false);
      }),
    );
  });

  test('of constants, by which a key can be read, does not hold', () => {
    const constant = new Uint32Array(SLOTS_PER_SEGMENT);
    constant[0] = (Q - 1) / 2 ** 18;
    const probe = quantiseProbe(Array.from({ length: WORDS }, (_, i) => Math.sin(i + 1)));
    expect(check.holds(ring.transformSum(constant), probe)).toBe(false);
    expect(check.holds(ring.transformSum(new Uint32Array(SLOTS_PER_SEGMENT)), probe)).toBe(false);
  });

  test('of other masks, or with probes of another dimension, does not hold', () => {
    const other = new MaskCheck(ring, newMaskSeed(), WORDS);
    const probe = quantiseProbe(Array.from({ length: WORDS }, (_, i) => Math.cos(i)));
    expect(other.holds(ring.transformSum(c1Of(probe)), probe)).toBe(false);
    expect(check.holds(ring.transformSum(c1Of(probe)), probe.subarray(0, 48))).toBe(false);
  });
});
