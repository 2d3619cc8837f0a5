import fc from 'fast-check';
import { initialize } from 'node-seal';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadKernel, MOST_PROBES, type Residues, RowMemory } from './kernel/row-memory.js';
import { expandMasks, type MaskSeed, maskRandom, newMaskSeed } from './mask-seed.js';
import { DELTA, paddedDimension, Q, SLOTS_PER_SEGMENT, T } from './parameters.js';
import {
  innerProduct,
  type QuantisedProbe,
  quantiseProbe,
  type QuantisedTemplate,
  quantiseTemplate,
} from './quantised-vector.js';
import { asPad, decodeRow, encodeRow, type Pad, resealRow, sealTemplate } from './sealed-row.js';
import { SealEngine, type SealKey } from './seal-engine.js';
import { packSecret, SegmentKey } from './segment-key.js';

const CIPHERTEXT_HEADER = 113;

let engine: SealEngine;
let seal: SealKey;
let key: SegmentKey;
let kernel: WebAssembly.Module;

beforeAll(async () => {
  engine = await SealEngine.create();
  seal = engine.createKey();
  key = ourKey(seal);
  kernel = await loadKernel();
});

afterAll(() => {
  key[Symbol.dispose]();
  seal[Symbol.dispose]();
});

/** A key of SEAL's, for our own arithmetic. */
function ourKey(of: SealKey): SegmentKey {
  return new SegmentKey(engine.ring, packSecret(of.digits(), randomBytes(32)));
}

/** Deterministic numbers in [-1, 1), so that a failure can be repeated. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

function randomFaces(count: number, dimension: number, seed: number): number[][] {
  const next = numbers(seed);
  return Array.from({ length: count }, () => Array.from({ length: dimension }, next));
}

function randomProbe(dimension: number, seed: number): QuantisedProbe {
  return quantiseProbe(Array.from({ length: dimension }, numbers(seed)));
}

/** A gallery's masks and segments of its, with rows that are sealed under keys of their own. */
class TestGallery {
  readonly seed: MaskSeed = newMaskSeed();
  private readonly masks: RowMemory;

  constructor(private readonly words: number) {
    this.masks = new RowMemory(kernel, words);
    this.masks.setRows(expandMasks(engine.ring, this.seed, words));
  }

  pads(of = key): Uint32Array<ArrayBuffer> {
    return of.pads(this.seed, this.words);
  }

  segment(templates: readonly QuantisedTemplate[], of = key): RowMemory {
    const pads = this.pads(of);
    const rows = new RowMemory(kernel, this.words);
    templates.forEach((template, slot) =>
      rows.setRow(slot, sealTemplate(padAt(pads, slot, this.words), template)),
    );
    return rows;
  }

  c1(probe: QuantisedProbe): Residues {
    return only(this.masks.products([probe]));
  }

  /** What a probe scored in a segment: matched, then opened. */
  scores(rows: RowMemory, probe: QuantisedProbe, slots: readonly number[], of = key): number[] {
    const sum = engine.ring.transformSum(this.c1(probe));
    return [...of.openScores(only(rows.products([probe])), sum, slots)];
  }
}

function padAt(pads: Uint32Array<ArrayBuffer>, slot: number, words: number): Pad {
  return asPad(pads.slice(slot * words, (slot + 1) * words));
}

function only<T>([value]: readonly T[]): T {
  if (value === undefined) throw new RangeError('nothing where one was due');
  return value;
}

const allSlots = Array.from({ length: SLOTS_PER_SEGMENT }, (_, slot) => slot);

test('a row that moves to another pad is what would have been sealed under it, and moves back to what it was', () => {
  const words = 64;
  const residues = fc
    .array(fc.integer({ min: 0, max: Q - 1 }), { minLength: words, maxLength: words })
    .map((values) => asPad(Uint32Array.from(values)));
  const face = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: words, maxLength: words });
  const templates = face
    .filter((values) => values.some((value) => Math.abs(value) > 1e-3))
    .map(quantiseTemplate);
  fc.assert(
    fc.property(residues, residues, templates, (from, to, template) => {
      const row = sealTemplate(from, template);
      expect(resealRow(row, from, to)).toEqual(sealTemplate(to, template));
      expect(resealRow(resealRow(row, from, to), to, from)).toEqual(row);
    }),
  );
});

describe('encrypted scores equal the plaintext integers', () => {
  test.each([128, 512, 1024])(
    'for 2,048 random templates of %i dimensions and several probes',
    (dimension) => {
      const gallery = new TestGallery(dimension);
      const faces = randomFaces(SLOTS_PER_SEGMENT, dimension, dimension);
      const templates = faces.map(quantiseTemplate);
      const rows = gallery.segment(templates);
      for (const face of [...randomFaces(3, dimension, 7), ...faces.slice(100, 103)]) {
        const probe = quantiseProbe(face);
        expect(gallery.scores(rows, probe, allSlots)).toEqual(
          templates.map((template) => innerProduct(template, probe)),
        );
      }
    },
  );

  test.each([64, 80, 100, 2048])('for extreme vectors of %i dimensions', (dimension) => {
    const gallery = new TestGallery(paddedDimension(dimension));
    const unit = (i: number): number[] => Array.from({ length: dimension }, (_, j) => (i === j ? 1 : 0));
    const extremes = [
      unit(0),
      unit(dimension - 1).map((x) => -x),
      Array.from({ length: dimension }, () => 1),
      Array.from({ length: dimension }, () => -1),
      Array.from({ length: dimension }, (_, i) => (i % 2 === 0 ? 1 : -1)),
      Array.from({ length: dimension }, (_, i) => (i < 4 ? 1 : 0)),
    ];
    const templates = extremes.map(quantiseTemplate);
    const rows = gallery.segment(templates);
    for (const probe of extremes.map(quantiseProbe)) {
      const opened = gallery.scores(rows, probe, [0, 1, 2, 3, 4, 5]);
      expect(opened).toEqual(templates.map((template) => innerProduct(template, probe)));
    }
  });

  test('in several segments, each under a key of its own and all under the same masks', () => {
    const gallery = new TestGallery(128);
    for (let n = 0; n < 4; n++) {
      using own = new SegmentKey(engine.ring, engine.createSegmentSecret());
      const templates = randomFaces(300, 128, 11 + n).map(quantiseTemplate);
      const rows = gallery.segment(templates, own);
      const probe = randomProbe(128, 14 + n);
      const slots = allSlots.slice(0, 300);
      expect(gallery.scores(rows, probe, slots, own)).toEqual(
        templates.map((template) => innerProduct(template, probe)),
      );
    }
  });

  test.each([64, 144, 512, 2048])('for one to eight probes in one pass, with %i words a row', (words) => {
    const gallery = new TestGallery(words);
    const templates = randomFaces(150, words, 15).map(quantiseTemplate);
    const rows = gallery.segment(templates);
    for (let count = 1; count <= MOST_PROBES; count++) {
      const probes = Array.from({ length: count }, (_, k) => randomProbe(words, 100 + k));
      const together = rows.products(probes);
      expect(together).toEqual(probes.map((probe) => only(rows.products([probe]))));
      const last = only(probes.slice(-1));
      const sum = engine.ring.transformSum(gallery.c1(last));
      const opened = key.openScores(only(together.slice(-1)), sum, allSlots.slice(0, 150));
      expect([...opened]).toEqual(templates.map((template) => innerProduct(template, last)));
    }
    expect(() => rows.products(Array.from({ length: 9 }, () => randomProbe(words, 1)))).toThrow(RangeError);
  });

  test('for the longest sums that the kernel can meet, with four probes at once', () => {
    const words = 2048;
    const rows = new RowMemory(kernel, words);
    // Every digit of every word at its extreme: the low digit -2^15, the high one as far from 0 as a residue allows.
    const extreme = Uint32Array.from({ length: words }, () => Q - 2 ** 31 + 32_768);
    rows.setRow(0, encodeRow(extreme));
    const probe = quantiseProbe(Array.from({ length: words }, () => 1));
    const [first] = rows.products([probe, probe, probe, probe]);
    expect(first?.[0]).toBe(residueProduct(extreme, probe));
  });

  test('after a row was cleared, for the others; and after all were, for none', () => {
    const gallery = new TestGallery(64);
    const templates = randomFaces(5, 64, 12).map(quantiseTemplate);
    const rows = gallery.segment(templates);
    const probe = randomProbe(64, 13);
    rows.clearRow(2);
    expect(only(rows.products([probe]))[2]).toBe(0);
    const kept = templates.filter((_, slot) => slot !== 2);
    expect(gallery.scores(rows, probe, [0, 1, 3, 4])).toEqual(
      kept.map((template) => innerProduct(template, probe)),
    );
    rows.clear();
    expect(only(rows.products([probe])).every((word) => word === 0)).toBe(true);
    rows.setRow(4, sealTemplate(padAt(gallery.pads(), 4, 64), only(templates)));
    const products = only(rows.products([probe]));
    expect(allSlots.filter((slot) => products[slot] !== 0)).toEqual([4]);
  });
});

describe('masks and pads', () => {
  test('are the same ones each time, and others for other seeds, keys and places', () => {
    const gallery = new TestGallery(64);
    const pads = gallery.pads();
    expect(gallery.pads()).toEqual(pads);
    const masks = expandMasks(engine.ring, gallery.seed, 64);
    expect(expandMasks(engine.ring, gallery.seed, 64)).toEqual(masks);
    expect(expandMasks(engine.ring, newMaskSeed(), 64)).not.toEqual(masks);
    using other = ourKey(seal);
    // The same secret key with other noise: pads differ by noise only, which is why a segment has one noise seed.
    const noisy = gallery.pads(other);
    expect(noisy).not.toEqual(pads);
    const apart = Array.from(noisy.subarray(0, 4096), (word, i) => {
      const difference = (word - (pads[i] ?? 0) + Q) % Q;
      return Math.min(difference, Q - difference);
    });
    expect(Math.max(...apart)).toBeLessThanOrEqual(42);
    expect(new Set(pads).size).toBeGreaterThan(pads.length * 0.999);
  });

  test('decrypt to zero in SEAL, with the noise of a fresh encryption by SEAL', () => {
    const seed = newMaskSeed();
    const zeros = key.zeros(seed, 0, 16);
    const masks = maskRandom(seed, 0, 16).map((random) => engine.ring.mask(random));
    const fresh = wordsOf(seal.freshZero());
    const theirs = {
      c0: Uint32Array.from(allSlots, (j) => fresh[2 * j] ?? 0),
      c1: Uint32Array.from(allSlots, (j) => fresh[2 * (SLOTS_PER_SEGMENT + j)] ?? 0),
    };
    zeros.forEach((c0, i) => {
      const ciphertext = { c0, c1: only(masks.slice(i)) };
      expect(seal.open(ciphertext, allSlots).every((score) => score === 0)).toBe(true);
      expect(Math.abs(seal.noiseBudget(ciphertext) - seal.noiseBudget(theirs))).toBeLessThanOrEqual(1);
    });
  });

  test("have SEAL's noise: centred binomial of 2 × 21 bits", () => {
    // With s = 0 a pad is its noise.
    using bare = new SegmentKey(engine.ring, packSecret(new Int8Array(SLOTS_PER_SEGMENT), randomBytes(32)));
    const counts = new Map<number, number>();
    for (const zero of bare.zeros(newMaskSeed(), 0, 64)) {
      for (const word of zero) {
        const e = word > Q / 2 ? word - Q : word;
        counts.set(e, (counts.get(e) ?? 0) + 1);
      }
    }
    const total = 64 * SLOTS_PER_SEGMENT;
    let chiSquare = 0;
    for (let e = -10; e <= 10; e++) {
      const expected = (total * choose(42, 21 + e)) / 2 ** 42;
      chiSquare += ((counts.get(e) ?? 0) - expected) ** 2 / expected;
    }
    // About 20 degrees of freedom: above 70 by chance once in five million runs.
    expect(chiSquare).toBeLessThan(70);
    expect(Math.max(...[...counts.keys()].map(Math.abs))).toBeLessThanOrEqual(21);
  });
});

test('sealing and matching compute word for word what SEAL computes with addPlain, multiplyPlain and add', async () => {
  const words = 64;
  const raw = await initialize();
  const parameters = new raw.EncryptionParameters(raw.SchemeType.bfv);
  const chain = new raw.VectorModulus();
  chain.push_back(new raw.Modulus(BigInt(Q)));
  parameters.setPolyModulusDegree(SLOTS_PER_SEGMENT);
  parameters.setCoeffModulus(chain);
  parameters.setPlainModulus(new raw.Modulus(BigInt(T)));
  const context = new raw.SEALContext(parameters, true, raw.SecLevelType.tc192);
  const generator = new raw.KeyGenerator(context);
  const encryptor = new raw.Encryptor(context, generator.createPublicKey(), generator.secretKey());
  const evaluator = new raw.Evaluator(context);
  const none = raw.ComprModeType.none;

  const templates = randomFaces(SLOTS_PER_SEGMENT, words, 21).map(quantiseTemplate);
  const probe = randomProbe(words, 22);
  const zero = new raw.Plaintext(SLOTS_PER_SEGMENT);
  zero.setZero();
  const columnOf = (i: number): Uint8Array => plaintext(templates.map((template) => template[i] ?? 0));

  // SEAL's side: Σ_i probe_i · (Enc(0)_i + column_i), and the words of the fresh ciphertexts for ours.
  const pads = new Uint32Array(SLOTS_PER_SEGMENT * words);
  const masks = new Uint32Array(SLOTS_PER_SEGMENT * words);
  const sum = new raw.Ciphertext();
  let started = false;
  for (let i = 0; i < words; i++) {
    const fresh = new raw.Ciphertext();
    encryptor.encryptSymmetric(zero, fresh);
    const view = wordsOf(fresh.saveToArray(none));
    for (let j = 0; j < SLOTS_PER_SEGMENT; j++) {
      pads[j * words + i] = view[2 * j] ?? 0;
      masks[j * words + i] = view[2 * (SLOTS_PER_SEGMENT + j)] ?? 0;
    }
    const column = new raw.Plaintext();
    column.loadFromArray(context, columnOf(i));
    evaluator.addPlainInplace(fresh, column);
    const sealed = wordsOf(fresh.saveToArray(none));
    for (const slot of [0, 1, 1023, 2047]) {
      const template = templates[slot] ?? probe;
      const lifted = ((pads[slot * words + i] ?? 0) + (template[i] ?? 0) * DELTA + Q) % Q;
      expect(lifted).toBe(sealed[2 * slot]);
    }
    const factor = probe[i] ?? 0;
    if (factor === 0) continue;
    // SEAL multiplies by a negative constant -f as by t - f: the same mod t, with more noise. So: by f, then negate.
    const multiplier = new raw.Plaintext();
    multiplier.loadFromArray(context, plaintext([Math.abs(factor)]));
    evaluator.multiplyPlainInplace(fresh, multiplier);
    if (factor < 0) evaluator.negateInplace(fresh);
    if (started) evaluator.add(sum, fresh, sum);
    else sum.loadFromArray(context, fresh.saveToArray(none));
    started = true;
  }

  // Our side, on the same words.
  const rows = templates.map((template, slot) =>
    decodeRow(sealTemplate(asPad(pads.slice(slot * words, (slot + 1) * words)), template)),
  );
  for (const slot of [0, 1, 2047]) {
    const template = templates[slot] ?? probe;
    const lifted = Array.from(
      template,
      (digit, i) => ((pads[slot * words + i] ?? 0) + digit * DELTA + Q) % Q,
    );
    expect(Array.from(rows[slot] ?? [])).toEqual(lifted);
  }
  const expected = wordsOf(sum.saveToArray(none));
  const c0 = rows.map((row) => residueProduct(row, probe));
  const c1 = allSlots.map((k) => residueProduct(masks.subarray(k * words, (k + 1) * words), probe));
  expect(c0).toEqual(allSlots.map((j) => expected[2 * j]));
  expect(c1).toEqual(allSlots.map((k) => expected[2 * (SLOTS_PER_SEGMENT + k)]));

  /** SEAL's uncompressed form of a plaintext: 88 bytes of headers, then the coefficients mod t. */
  function plaintext(coefficients: readonly number[]): Uint8Array {
    const empty = new raw.Plaintext(coefficients.length);
    empty.setZero();
    const bytes: unknown = empty.saveToArray(none);
    if (!(bytes instanceof Uint8Array)) throw new TypeError('SEAL returned no bytes');
    const filledBytes = new Uint8Array(bytes);
    const view = new DataView(filledBytes.buffer);
    coefficients.forEach((value, i) => view.setUint32(88 + 8 * i, value < 0 ? value + T : value, true));
    return filledBytes;
  }
});

describe('opening', () => {
  test("gives what SEAL's own decryptor gives", () => {
    for (const words of [64, 512, 2048]) {
      const gallery = new TestGallery(words);
      const rows = gallery.segment(randomFaces(700, words, 31).map(quantiseTemplate));
      for (let seed = 40; seed < 44; seed++) {
        const probe = randomProbe(words, seed);
        const slots = allSlots.slice(0, 700);
        const ciphertext = { c0: only(rows.products([probe])), c1: gallery.c1(probe) };
        expect(gallery.scores(rows, probe, slots)).toEqual(seal.open(ciphertext, slots));
      }
    }
  });

  test('is exact for every score that the parameters allow, with noise up to the limit', () => {
    const noise = fc.integer({ min: -8_189, max: 8_189 });
    const score = fc.integer({ min: -(T / 2), max: T / 2 - 1 });
    const nothing = engine.ring.transformSum(new Uint32Array(SLOTS_PER_SEGMENT));
    const vector = fc.array(fc.tuple(score, noise), { minLength: 64, maxLength: 64 });
    fc.assert(
      fc.property(vector, (values) => {
        const c0 = new Uint32Array(SLOTS_PER_SEGMENT);
        values.forEach(([value, error], slot) => (c0[slot] = (value * DELTA + error + 2 * Q) % Q));
        const opened = key.openScores(c0, nothing, allSlots.slice(0, 64));
        expect([...opened]).toEqual(values.map(([value]) => value));
      }),
    );
  });

  test("with another segment's key gives nothing of the scores", () => {
    const templates = randomFaces(SLOTS_PER_SEGMENT, 64, 32).map(quantiseTemplate);
    const gallery = new TestGallery(64);
    const rows = gallery.segment(templates);
    const probe = randomProbe(64, 33);
    using other = new SegmentKey(engine.ring, engine.createSegmentSecret());
    const opened = gallery.scores(rows, probe, allSlots, other);
    const right = templates.filter((template, slot) => innerProduct(template, probe) === opened[slot]);
    // By chance one of 2,048 in 128 runs.
    expect(right.length).toBeLessThan(4);
  });
});

test('a sealed row alone looks like random words', () => {
  const same = quantiseTemplate(Array.from({ length: 128 }, (_, i) => Math.sin(i)));
  const pads = new TestGallery(128).pads();
  const counts = Array.from({ length: 16 }, () => 0);
  for (let slot = 0; slot < SLOTS_PER_SEGMENT; slot++) {
    for (const word of decodeRow(sealTemplate(padAt(pads, slot, 128), same))) {
      const bin = Math.floor((word / Q) * 16);
      counts[bin] = (counts[bin] ?? 0) + 1;
    }
  }
  const mean = (SLOTS_PER_SEGMENT * 128) / 16;
  const chiSquare = counts.reduce((sum, count) => sum + (count - mean) ** 2 / mean, 0);
  // 15 degrees of freedom: above 60 by chance once in two million runs.
  expect(chiSquare).toBeLessThan(60);
});

test('the noise budget is positive for the longest probe at the largest dimension', () => {
  const words = 2048;
  const gallery = new TestGallery(words);
  const flat = Array.from({ length: words }, () => 1);
  const template = quantiseTemplate(flat);
  const probe = quantiseProbe(flat);
  // Every slot holds a row: SEAL measures the noise of all coefficients.
  const rows = gallery.segment(Array.from({ length: SLOTS_PER_SEGMENT }, () => template));
  expect(gallery.scores(rows, probe, [0])).toEqual([innerProduct(template, probe)]);
  const ciphertext = { c0: only(rows.products([probe])), c1: gallery.c1(probe) };
  expect(seal.noiseBudget(ciphertext)).toBeGreaterThan(0);
});

test('opening a hundred thousand times, and keys again and again, leaves no memory behind', () => {
  const gallery = new TestGallery(64);
  const rows = gallery.segment(randomFaces(1, 64, 5).map(quantiseTemplate));
  const probe = randomProbe(64, 5);
  const ciphertext = { c0: only(rows.products([probe])), c1: gallery.c1(probe) };
  const sum = engine.ring.transformSum(ciphertext.c1);
  const work = (): void => {
    for (let i = 0; i < 300; i++) {
      using theirs = engine.createKey();
      using ours = ourKey(theirs);
      theirs.open(ciphertext, [0]);
      for (let n = 0; n < 70; n++) ours.openScores(ciphertext.c0, sum, [0]);
    }
  };
  work();
  const before = process.memoryUsage().rss;
  for (let round = 0; round < 5; round++) work();
  // One leaked ciphertext a key would be 1,500 × 32 KB, one leaked array of scores an opening 100,000 × 8 KB.
  expect(process.memoryUsage().rss - before).toBeLessThan(30_000_000);
});

test('rows survive encoding for every residue', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: Q - 1 }), { minLength: 16, maxLength: 16 }),
      (residues) => {
        const words = Uint32Array.from(residues);
        expect(decodeRow(encodeRow(words))).toEqual(words);
      },
    ),
  );
  const edges = Uint32Array.from(
    [0, 1, Q - 1, Q - 2 ** 31, Q - 2 ** 31 - 1, 2 ** 31, 65_535, 65_536].concat(
      Array.from({ length: 8 }, () => 0),
    ),
  );
  expect(decodeRow(encodeRow(edges))).toEqual(edges);
});

/** The words behind the headers of a serialised ciphertext: the low half of each 64-bit word is at an even index. */
function wordsOf(bytes: unknown): Uint32Array {
  if (!(bytes instanceof Uint8Array)) throw new TypeError('SEAL returned no bytes');
  return new Uint32Array(new Uint8Array(bytes).slice(CIPHERTEXT_HEADER).buffer);
}

function residueProduct(words: Uint32Array, probe: QuantisedProbe): number {
  let sum = 0n;
  probe.forEach((digit, i) => (sum += BigInt(digit) * BigInt(words[i] ?? 0)));
  const q = BigInt(Q);
  return Number(((sum % q) + q) % q);
}

function choose(n: number, k: number): number {
  let product = 1;
  for (let i = 1; i <= k; i++) product = (product * (n - k + i)) / i;
  return product;
}
