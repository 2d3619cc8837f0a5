import fc from 'fast-check';
import { initialize } from 'node-seal';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadKernel, MOST_PROBES, SegmentMemory } from './kernel/segment-memory.js';
import { DELTA, paddedDimension, Q, SLOTS_PER_SEGMENT, T } from './parameters.js';
import {
  innerProduct,
  type QuantisedProbe,
  quantiseProbe,
  type QuantisedTemplate,
  quantiseTemplate,
} from './quantised-vector.js';
import { asPad, decodeRow, encodeRow, type Pad, sealTemplate } from './sealed-row.js';
import { type GalleryKey, type OpenedSegment, SealEngine } from './seal-engine.js';

const CIPHERTEXT_HEADER = 113;

let engine: SealEngine;
let key: GalleryKey;
let kernel: WebAssembly.Module;

beforeAll(async () => {
  engine = await SealEngine.create();
  key = engine.loadKey(engine.createSecretKey());
  kernel = await loadKernel();
});

afterAll(() => key[Symbol.dispose]());

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

function padOf({ pads }: OpenedSegment, slot: number, words: number): Pad {
  return asPad(pads.slice(slot * words, (slot + 1) * words));
}

function filled(
  segment: OpenedSegment,
  templates: readonly QuantisedTemplate[],
  words: number,
): SegmentMemory {
  const memory = new SegmentMemory(kernel, words, segment.masks);
  templates.forEach((template, slot) =>
    memory.setRow(slot, sealTemplate(padOf(segment, slot, words), template)),
  );
  return memory;
}

const allSlots = Array.from({ length: SLOTS_PER_SEGMENT }, (_, slot) => slot);

describe('encrypted scores equal the plaintext integers', () => {
  test.each([128, 512, 1024])(
    'for 2,048 random templates of %i dimensions and several probes',
    (dimension) => {
      const segment = key.openSegment(dimension);
      const faces = randomFaces(SLOTS_PER_SEGMENT, dimension, dimension);
      const templates = faces.map(quantiseTemplate);
      const memory = filled(segment, templates, dimension);
      for (const face of [...randomFaces(3, dimension, 7), ...faces.slice(100, 103)]) {
        const probe = quantiseProbe(face);
        const opened = key.openScores(memory.match(probe), allSlots);
        expect(opened).toEqual(templates.map((template) => innerProduct(template, probe)));
      }
    },
  );

  test.each([64, 80, 100, 2048])('for extreme vectors of %i dimensions', (dimension) => {
    const words = paddedDimension(dimension);
    const segment = key.openSegment(words);
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
    const memory = filled(segment, templates, words);
    for (const probe of extremes.map(quantiseProbe)) {
      const opened = key.openScores(memory.match(probe), [0, 1, 2, 3, 4, 5]);
      expect(opened).toEqual(templates.map((template) => innerProduct(template, probe)));
    }
  });

  test('when only some slots are matched, and for no other slot', () => {
    const segment = key.openSegment(128);
    const templates = randomFaces(300, 128, 11).map(quantiseTemplate);
    const memory = filled(segment, templates, 128);
    const probe = randomProbe(128, 14);
    const { c0 } = memory.match(probe, [3, 299]);
    expect([...c0.keys()].filter((slot) => c0[slot] !== 0)).toEqual([3, 299]);
    const opened = key.openScores(memory.match(probe, [3, 299]), [3, 299]);
    const asked = templates.filter((_, slot) => slot === 3 || slot === 299);
    expect(opened).toEqual(asked.map((template) => innerProduct(template, probe)));
  });

  test.each([64, 144, 512, 2048])('for one to eight probes in one pass, with %i words a row', (words) => {
    const segment = key.openSegment(words);
    const templates = randomFaces(150, words, 15).map(quantiseTemplate);
    const memory = filled(segment, templates, words);
    for (let count = 1; count <= MOST_PROBES; count++) {
      const probes = Array.from({ length: count }, (_, k) => randomProbe(words, 100 + k));
      const together = memory.matchAll(probes);
      expect(together).toEqual(probes.map((probe) => memory.match(probe)));
      const last = probes.at(-1) ?? randomProbe(words, 1);
      const opened = key.openScores(together.at(-1) ?? memory.match(last), allSlots.slice(0, 150));
      expect(opened).toEqual(templates.map((template) => innerProduct(template, last)));
    }
    expect(() => memory.matchAll(Array.from({ length: 9 }, () => randomProbe(words, 1)))).toThrow(RangeError);
  });

  test('for the longest sums that the kernel can meet, with four probes at once', () => {
    const words = 2048;
    const { masks } = key.openSegment(words);
    const memory = new SegmentMemory(kernel, words, masks);
    // Every digit of every word at its extreme: the low digit -2^15, the high one as far from 0 as a residue allows.
    const extreme = Uint32Array.from({ length: words }, () => Q - 2 ** 31 + 32_768);
    memory.setRow(0, encodeRow(extreme));
    const probe = quantiseProbe(Array.from({ length: words }, () => 1));
    const [first] = memory.matchAll([probe, probe, probe, probe]);
    expect(first?.c0[0]).toBe(residueProduct(extreme, probe));
  });

  test('after a row was cleared, for the others', () => {
    const segment = key.openSegment(64);
    const templates = randomFaces(5, 64, 12).map(quantiseTemplate);
    const memory = filled(segment, templates, 64);
    const probe = randomProbe(64, 13);
    memory.clearRow(2);
    expect(memory.match(probe).c0[2]).toBe(0);
    const opened = key.openScores(memory.match(probe), [0, 1, 3, 4]);
    const kept = templates.filter((_, slot) => slot !== 2);
    expect(opened).toEqual(kept.map((template) => innerProduct(template, probe)));
  });
});

test('sealing and matching compute word for word what SEAL computes with addPlain, multiplyPlain and add', async () => {
  const words = 64;
  const seal = await initialize();
  const parameters = new seal.EncryptionParameters(seal.SchemeType.bfv);
  const chain = new seal.VectorModulus();
  chain.push_back(new seal.Modulus(BigInt(Q)));
  parameters.setPolyModulusDegree(SLOTS_PER_SEGMENT);
  parameters.setCoeffModulus(chain);
  parameters.setPlainModulus(new seal.Modulus(BigInt(T)));
  const context = new seal.SEALContext(parameters, true, seal.SecLevelType.tc192);
  const generator = new seal.KeyGenerator(context);
  const encryptor = new seal.Encryptor(context, generator.createPublicKey(), generator.secretKey());
  const evaluator = new seal.Evaluator(context);
  const none = seal.ComprModeType.none;

  const templates = randomFaces(SLOTS_PER_SEGMENT, words, 21).map(quantiseTemplate);
  const probe = randomProbe(words, 22);
  const zero = new seal.Plaintext(SLOTS_PER_SEGMENT);
  zero.setZero();
  const columnOf = (i: number): Uint8Array => plaintext(templates.map((template) => template[i] ?? 0));

  // SEAL's side: Σ_i probe_i · (Enc(0)_i + column_i), and the words of the fresh ciphertexts for ours.
  const pads = new Uint32Array(SLOTS_PER_SEGMENT * words);
  const masks = new Uint32Array(SLOTS_PER_SEGMENT * words);
  const sum = new seal.Ciphertext();
  let started = false;
  for (let i = 0; i < words; i++) {
    const fresh = new seal.Ciphertext();
    encryptor.encryptSymmetric(zero, fresh);
    const view = wordsOf(fresh.saveToArray(none));
    for (let j = 0; j < SLOTS_PER_SEGMENT; j++) {
      pads[j * words + i] = view[2 * j] ?? 0;
      masks[j * words + i] = view[2 * (SLOTS_PER_SEGMENT + j)] ?? 0;
    }
    const column = new seal.Plaintext();
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
    const multiplier = new seal.Plaintext();
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
    const empty = new seal.Plaintext(coefficients.length);
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
      const memory = filled(key.openSegment(words), randomFaces(700, words, 31).map(quantiseTemplate), words);
      for (let seed = 40; seed < 44; seed++) {
        const scores = memory.match(randomProbe(words, seed));
        const rows = allSlots.slice(0, 700);
        expect(key.openScores(scores, rows)).toEqual(key.openWithSeal(scores, rows));
      }
    }
  });

  test('is exact for every score that the parameters allow, with noise up to the limit', () => {
    const noise = fc.integer({ min: -8_189, max: 8_189 });
    const score = fc.integer({ min: -(T / 2), max: T / 2 - 1 });
    const nothing = new Uint32Array(SLOTS_PER_SEGMENT);
    const vector = fc.array(fc.tuple(score, noise), { minLength: 64, maxLength: 64 });
    fc.assert(
      fc.property(vector, (values) => {
        const c0 = new Uint32Array(SLOTS_PER_SEGMENT);
        values.forEach(([value, error], slot) => (c0[slot] = (value * DELTA + error + 2 * Q) % Q));
        const opened = key.openScores({ c0, c1: nothing }, allSlots.slice(0, 64));
        expect(opened).toEqual(values.map(([value]) => value));
      }),
    );
  });

  test('with another key gives nothing of the scores', () => {
    const templates = randomFaces(SLOTS_PER_SEGMENT, 64, 32).map(quantiseTemplate);
    const memory = filled(key.openSegment(64), templates, 64);
    const probe = randomProbe(64, 33);
    using other = engine.loadKey(engine.createSecretKey());
    const opened = other.openScores(memory.match(probe), allSlots);
    const right = templates.filter((template, slot) => innerProduct(template, probe) === opened[slot]);
    // By chance one of 2,048 in 128 runs.
    expect(right.length).toBeLessThan(4);
  });
});

test('a sealed row alone looks like random words', () => {
  const segment = key.openSegment(128);
  const same = quantiseTemplate(Array.from({ length: 128 }, (_, i) => Math.sin(i)));
  const counts = Array.from({ length: 16 }, () => 0);
  for (let slot = 0; slot < SLOTS_PER_SEGMENT; slot++) {
    for (const word of decodeRow(sealTemplate(padOf(segment, slot, 128), same))) {
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
  const segment = key.openSegment(words);
  const flat = Array.from({ length: words }, () => 1);
  const template = quantiseTemplate(flat);
  const probe = quantiseProbe(flat);
  // Every slot holds a row: SEAL measures the noise of all coefficients.
  const everyone = Array.from({ length: SLOTS_PER_SEGMENT }, () => template);
  const memory = filled(segment, everyone, words);
  expect(key.openScores(memory.match(probe), [0])).toEqual([innerProduct(template, probe)]);
  expect(key.noiseBudget(memory.match(probe))).toBeGreaterThan(0);
});

test('opening a hundred thousand times, and keys again and again, leaves no memory behind', () => {
  const segment = key.openSegment(64);
  const memory = filled(segment, randomFaces(1, 64, 5).map(quantiseTemplate), 64);
  const scores = memory.match(randomProbe(64, 5));
  const secret = engine.createSecretKey();
  const work = (): void => {
    for (let i = 0; i < 300; i++) {
      using other = engine.loadKey(secret);
      other.openWithSeal(scores, [0]);
      for (let n = 0; n < 70; n++) other.openScores(scores, [0]);
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
