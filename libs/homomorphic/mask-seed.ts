import { createCipheriv, randomBytes } from 'node:crypto';
import { MASK_RANDOM_BYTES, type RingKernel } from './kernel/ring-kernel.js';
import type { Residues } from './kernel/row-memory.js';
import { SLOTS_PER_SEGMENT, WORDS_AT_ONCE } from './parameters.js';
import { asMasks, encodeColumns, type MaskMatrix } from './sealed-row.js';

declare const brand: unique symbol;

const SEED_BYTES = 32;

/** 32 bytes from which all masks a_i of a gallery are made. Public; drawn at random for each gallery. */
export type MaskSeed = Uint8Array<ArrayBuffer> & { readonly [brand]: 'mask seed' };

export function newMaskSeed(): MaskSeed {
  return asMaskSeed(randomBytes(SEED_BYTES));
}

export function asMaskSeed(bytes: Uint8Array): MaskSeed {
  const seed = new Uint8Array(bytes);
  if (!isSeed(seed)) throw new RangeError('a mask seed has 32 bytes');
  return seed;
}

/**
 * Items `first` to `first` + `count` - 1 of a stream of pseudorandom items of `length` bytes, a multiple of 16: AES-256
 * in counter mode under the seed (NIST SP 800-38A).
 */
export function stream(seed: Uint8Array, first: number, count: number, length: number): Uint8Array[] {
  const counter = Buffer.alloc(16);
  counter.writeUInt32BE((first * length) / 16, 12);
  const bytes = createCipheriv('aes-256-ctr', seed, counter).update(Buffer.alloc(count * length));
  return Array.from({ length: count }, (_, n) => bytes.subarray(n * length, (n + 1) * length));
}

/** The random bytes of masks a_first and those that follow. */
export function maskRandom(seed: MaskSeed, first: number, count: number): Uint8Array[] {
  return stream(seed, first, count, MASK_RANDOM_BYTES);
}

/** All masks of a gallery whose rows have `words` words, in the kernel's format. */
export function expandMasks(ring: RingKernel, seed: MaskSeed, words: number): MaskMatrix {
  const masks = new Uint8Array(SLOTS_PER_SEGMENT * words * 4);
  const digits = new Int16Array(masks.buffer);
  for (let i = 0; i < words; i += WORDS_AT_ONCE) {
    const random = maskRandom(seed, i, WORDS_AT_ONCE);
    encodeColumns(digits, words, i, columnsOf(random.map((bytes) => ring.mask(bytes))));
  }
  return asMasks(masks, words, SLOTS_PER_SEGMENT);
}

/** Several polynomials in one array, one after the other. */
export function columnsOf(polynomials: readonly Residues[]): Residues {
  const columns = new Uint32Array(polynomials.length * SLOTS_PER_SEGMENT);
  polynomials.forEach((polynomial, n) => columns.set(polynomial, n * SLOTS_PER_SEGMENT));
  return columns;
}

function isSeed(bytes: Uint8Array<ArrayBuffer>): bytes is MaskSeed {
  return bytes.length === SEED_BYTES;
}
