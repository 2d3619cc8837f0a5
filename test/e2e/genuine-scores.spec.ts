import { genuineScores } from '#homomorphic/genuine-scores';
import { RingKernel } from '#homomorphic/kernel/ring-kernel';
import { asMaskSeed } from '#homomorphic/mask-seed';
import { DELTA, paddedDimension, Q, SLOTS_PER_SEGMENT as N, T } from '#homomorphic/parameters';
import {
  innerProduct,
  type QuantisedProbe,
  quantiseProbe,
  type QuantisedTemplate,
  quantiseTemplate,
} from '#homomorphic/quantised-vector';
import { asPad, type Pad, resealRow, sealTemplate } from '#homomorphic/sealed-row';
import { packSecret, SegmentKey } from '#homomorphic/segment-key';
import { newId } from '#platform/ids';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { ternaryOf } from '../dumps/ring-attack.js';
import { keyByRounding } from '../harness/key-oracle.js';
import { matched } from '../harness/matching.js';
import { embedding } from '../harness/story.js';

const LOWEST = -T / 2;
const EVERY = Array.from({ length: N }, (_, slot) => slot);
const SEED = asMaskSeed(new Uint8Array(32).fill(7));

let ring: RingKernel;

beforeAll(async () => {
  ring = await RingKernel.load();
});

/** Always the same numbers, so that nothing here depends on luck. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state;
  };
}

function digitsOf(seed: number): Int8Array {
  const next = numbers(seed);
  return Int8Array.from({ length: N }, () => ((next() >>> 16) % 3) - 1);
}

function keyOf(seed: number): SegmentKey {
  return new SegmentKey(ring, packSecret(digitsOf(seed), new Uint8Array(32).fill(seed)));
}

/** A segment that is full of faces, and what a matcher makes of it. */
class FullSegment {
  readonly key: SegmentKey;
  readonly templates: readonly QuantisedTemplate[];
  private readonly pads: readonly Pad[];

  constructor(
    seed: number,
    private readonly dimension: number,
  ) {
    const words = paddedDimension(dimension);
    this.key = keyOf(seed);
    this.templates = EVERY.map((slot) => quantiseTemplate(embedding(slot + 1, dimension)));
    const all = this.key.pads(SEED, words);
    this.pads = EVERY.map((slot) => asPad(all.slice(slot * words, (slot + 1) * words)));
  }

  /** `from`: where the rows were sealed first. */
  async products(
    probe: QuantisedProbe,
    from?: FullSegment,
  ): Promise<{ c0: Uint32Array<ArrayBuffer>; c1: Uint32Array<ArrayBuffer> }> {
    const segmentId = newId<'segment'>();
    const sealed = EVERY.map((slot) => {
      const [template, pad, before] = [this.templates[slot], this.pads[slot], from?.pads[slot]];
      if (template === undefined || pad === undefined) throw new Error('no such slot');
      const row =
        before === undefined
          ? sealTemplate(pad, template)
          : resealRow(sealTemplate(before, template), before, pad);
      return { segmentId, slot, row };
    });
    const { c1, segments } = await matched(this.dimension, SEED, sealed, probe);
    const [segment] = segments;
    if (segment === undefined) throw new Error('no segment');
    return { c0: new Uint32Array(segment.c0), c1: new Uint32Array(c1) };
  }

  scores(probe: QuantisedProbe): Map<number, number> {
    return new Map(EVERY.map((slot) => [slot, innerProduct(this.templates[slot] ?? fail(), probe)]));
  }
}

function fail(): never {
  throw new Error('nothing where something was due');
}

function probeOf(face: number, dimension: number): QuantisedProbe {
  return quantiseProbe(embedding(face, dimension));
}

/** Everything that is answered, and how many words were looked at in vain. */
function answered(
  key: SegmentKey,
  { c0, c1 }: { c0: Uint32Array<ArrayBuffer>; c1: Uint32Array<ArrayBuffer> },
  probe: QuantisedProbe,
  slots: readonly number[] = EVERY,
  threshold = LOWEST,
): { scores: Map<number, number>; forged: number } {
  const opened = genuineScores([{ key, slots, c0 }], ring.transformSum(c1), probe, threshold, N) ?? fail();
  return { scores: new Map(opened.best.map(({ slot, score }) => [slot, score])), forged: opened.forged };
}

describe('a score that a row and the probe have made is answered', () => {
  test.each([64, 100, 512, 2048])('in every slot, at %i dimensions', async (dimension) => {
    const segment = new FullSegment(1, dimension);
    const probe = probeOf(5, dimension);
    const { scores, forged } = answered(segment.key, await segment.products(probe), probe);
    expect(scores).toEqual(segment.scores(probe));
    expect(forged).toBe(0);
  });

  test('after the row moved to another key, by that key alone', async () => {
    const [before, after] = [new FullSegment(2, 64), new FullSegment(3, 64)];
    const probe = probeOf(5, 64);
    const products = await after.products(probe, before);
    expect(answered(after.key, products, probe).scores).toEqual(after.scores(probe));
    // One word in 16,384 passes by chance.
    expect(answered(before.key, products, probe).scores.size).toBeLessThanOrEqual(1);
  });

  test('the best of several segments, above the threshold, and no more than asked for', async () => {
    const probe = probeOf(9, 64);
    const c1 = ring.transformSum((await new FullSegment(4, 64).products(probe)).c1);
    const segments = await Promise.all(
      [4, 5].map(async (seed) => {
        const segment = new FullSegment(seed, 64);
        return { key: segment.key, slots: EVERY, c0: (await segment.products(probe)).c0 };
      }),
    );
    const due = [...new FullSegment(4, 64).scores(probe).values()].sort((a, b) => b - a);
    for (const limit of [0, 1, 7, 40]) {
      const { best } = genuineScores(segments, c1, probe, LOWEST, limit) ?? fail();
      expect(best.map(({ score }) => score)).toEqual(due.flatMap((score) => [score, score]).slice(0, limit));
    }
    const [, second = 0] = due;
    const { best } = genuineScores(segments, c1, probe, second, 100) ?? fail();
    expect(best.map(({ score }) => score)).toEqual([due[0], due[0], second, second]);
  });
});

describe('a matcher that lies about c0', () => {
  let segment: FullSegment;
  let probe: QuantisedProbe;
  let honest: { c0: Uint32Array<ArrayBuffer>; c1: Uint32Array<ArrayBuffer> };

  beforeAll(async () => {
    segment = new FullSegment(6, 64);
    probe = probeOf(77, 64);
    honest = await segment.products(probe);
  });

  const shifted = (slot: number, by: number): typeof honest => {
    const c0 = honest.c0.slice();
    c0[slot] = ((((c0[slot] ?? 0) + by) % Q) + Q) % Q;
    return { ...honest, c0 };
  };

  test('is answered nothing where it shifts a word by anything but whole scores, and those it could compute itself', () => {
    const slots = fc.integer({ min: 0, max: N - 1 });
    const whole = fc.integer({ min: -1_000, max: 1_000 });
    const part = fc.integer({ min: 1, max: DELTA - 1 });
    fc.assert(
      fc.property(slots, whole, part, (slot, scores, rest) => {
        const by = scores * DELTA;
        expect(answered(segment.key, shifted(slot, by + rest), probe, [slot])).toEqual({
          scores: new Map(),
          forged: 1,
        });
        const due = (segment.scores(probe).get(slot) ?? 0) + scores;
        expect(answered(segment.key, shifted(slot, by), probe, [slot]).scores).toEqual(
          new Map([[slot, due]]),
        );
      }),
    );
    for (let by = 1; by < DELTA; by += 1) {
      expect(answered(segment.key, shifted(11, by), probe, [11]).scores.size).toBe(0);
    }
  });

  test('is answered one word in 16,384 of those that it guesses', () => {
    const next = numbers(8);
    let passed = 0;
    for (let opening = 0; opening < 40; opening++) {
      const c0 = Uint32Array.from(EVERY, () => next() % Q);
      passed += answered(segment.key, { ...honest, c0 }, probe).scores.size;
    }
    // Five of 81,920 are due.
    expect(passed).toBeLessThanOrEqual(12);
  });

  test('does not come by the key, which plain decryption would give it', () => {
    const sum = ring.transformSum(honest.c1);
    const plain = keyByRounding(
      (c0, slots) =>
        new Map([...segment.key.openScores(c0, sum, slots)].map((score, n) => [slots[n] ?? 0, score])),
      honest.c0,
      honest.c1,
    );
    const secret = Array.from(digitsOf(6), (digit) => BigInt(digit < 0 ? Q + digit : digit));
    expect(plain.key).toEqual(secret);
    expect(plain.openings).toBeLessThan(200);
    const judged = keyByRounding(
      (c0, slots) => answered(segment.key, { ...honest, c0 }, probe, slots).scores,
      honest.c0,
      honest.c1,
    );
    expect(ternaryOf(judged.key)).toBeLessThan(10);
  });

  test('is not told the noise by which words are looked at, as what it took shows', () => {
    const [first, again] = [0, 1].map(() => EVERY.slice(0, 64).map((slot) => lookedAtFrom(slot, probe)));
    // The same each time, so that asking often is of no use.
    expect(again).toEqual(first);
    const apart = (first ?? []).map((shift) => shift / DELTA);
    expect(Math.max(...apart) - Math.min(...apart)).toBeGreaterThan(900);
    const mean = apart.reduce((sum, each) => sum + each, 0) / apart.length;
    expect(apart.filter((each) => Math.abs(each - mean) < 10).length).toBeLessThan(10);
  });

  test('is refused where a word is no residue', () => {
    const { c1 } = honest;
    for (const word of [Q, Q + 1, 2 ** 32 - 1]) {
      const c0 = honest.c0.with(3, word);
      expect(
        genuineScores([{ key: segment.key, slots: [5], c0 }], ring.transformSum(c1), probe, LOWEST, N),
      ).toBe(undefined);
    }
  });

  /** The least shift at which the word of a slot is looked at, beyond what the score alone would take. */
  function lookedAtFrom(slot: number, of: QuantisedProbe): number {
    const threshold = 100_000;
    const score = segment.scores(of).get(slot) ?? 0;
    const due = (threshold - score) * DELTA;
    let [low, high] = [-(2 ** 25), 2 ** 25];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      const { scores, forged } = answered(segment.key, shifted(slot, due + middle), of, [slot], threshold);
      if (forged + scores.size > 0) high = middle;
      else low = middle;
    }
    return high;
  }
});
