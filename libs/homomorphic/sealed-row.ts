import { DELTA, Q, SLOTS_PER_SEGMENT } from './parameters.js';
import type { QuantisedTemplate } from './quantised-vector.js';

declare const brand: unique symbol;

/** d residues mod q that hide one template: coefficients j of the b_i of a segment. It MUST seal one template only. */
export type Pad = Uint32Array<ArrayBuffer> & { readonly [brand]: 'pad' };

/**
 * d words mod q in the kernel's format, d × 4 bytes: each word as two signed 16-bit digits, word = low + 2^16·high,
 * in groups of 8 words: 8 low digits, then 8 high ones, little-endian. Words are centred on [-2^31, -2^31 + q), so
 * that the high digit fits.
 */
export type SealedRow = Uint8Array<ArrayBuffer> & { readonly [brand]: 'row' };

/** N rows in the same format: row k holds the coefficients of x^k of all the masks a_i of a gallery. Public. */
export type MaskMatrix = Uint8Array<ArrayBuffer> & { readonly [brand]: 'masks' };

const GROUP = 8;
const CENTRE = 2 ** 31;

/** Adds m·⌊q/t⌋ to the pad mod q: what SEAL's add_plain does to coefficient j of (b_i, a_i) for plaintext m·x^j. */
export function sealTemplate(pad: Pad, template: QuantisedTemplate): SealedRow {
  if (pad.length !== template.length) throw new RangeError('pad and template differ in length');
  const words = new Uint32Array(pad.length);
  for (let i = 0; i < words.length; i++) {
    // Both terms are below 2^33: exact in a double.
    const sum = (pad[i] ?? 0) + (template[i] ?? 0) * DELTA;
    words[i] = sum < 0 ? sum + Q : sum % Q;
  }
  return encodeRow(words);
}

/**
 * The same template under another pad, which MUST seal nothing else: row - from + to mod q. The noise is that of the new
 * pad alone, so a row may move any number of times.
 */
export function resealRow(row: SealedRow, from: Pad, to: Pad): SealedRow {
  const words = decodeRow(row);
  if (words.length !== from.length || words.length !== to.length)
    throw new RangeError('row and pads differ in length');
  for (let i = 0; i < words.length; i++) {
    // Exact in a double, and in (0, 3q).
    words[i] = ((words[i] ?? 0) + Q - (from[i] ?? 0) + (to[i] ?? 0)) % Q;
  }
  return encodeRow(words);
}

/** Residues in [0, q) to a row. */
export function encodeRow(residues: Uint32Array): SealedRow {
  const row = new Uint8Array(residues.length * 4);
  const digits = new Int16Array(row.buffer);
  for (let i = 0; i < residues.length; i++) encodeAt(digits, place(i), residues[i] ?? 0);
  return asRow(row, residues.length);
}

/** A row back to residues in [0, q). */
export function decodeRow(row: SealedRow): Uint32Array<ArrayBuffer> {
  const digits = new Int16Array(row.slice().buffer);
  const residues = new Uint32Array(row.length / 4);
  for (let i = 0; i < residues.length; i++) {
    const at = place(i);
    const word = (digits[at] ?? 0) + (digits[at + GROUP] ?? 0) * 65_536;
    residues[i] = word < 0 ? word + Q : word;
  }
  return residues;
}

/**
 * Writes polynomial n of `columns` as word `first` + n of the rows, which have `words` words and follow one another
 * without gaps. As many at once as fill a cache line: one at a time takes twice as long.
 */
export function encodeColumns(digits: Int16Array, words: number, first: number, columns: Uint32Array): void {
  const count = columns.length / SLOTS_PER_SEGMENT;
  for (let k = 0; k < SLOTS_PER_SEGMENT; k++) {
    for (let n = 0; n < count; n++) {
      encodeAt(digits, k * words * 2 + place(first + n), columns[n * SLOTS_PER_SEGMENT + k] ?? 0);
    }
  }
}

function encodeAt(digits: Int16Array, at: number, residue: number): void {
  const word = residue >= Q - CENTRE ? residue - Q : residue;
  const low = (word << 16) >> 16;
  digits[at] = low;
  digits[at + GROUP] = (word - low) / 65_536;
}

export function asRow(bytes: Uint8Array, words: number): SealedRow {
  const row = new Uint8Array(bytes);
  if (!isRow(row, words)) throw new RangeError('a sealed row has the wrong length');
  return row;
}

export function asMasks(bytes: Uint8Array<ArrayBuffer>, words: number, slots: number): MaskMatrix {
  if (!isMasks(bytes, words * slots)) throw new RangeError('a mask matrix has the wrong length');
  return bytes;
}

export function asPad(words: Uint32Array<ArrayBuffer>): Pad {
  if (!isPad(words)) throw new RangeError('a pad holds residues mod q');
  return words;
}

function place(i: number): number {
  return (i - (i % GROUP)) * 2 + (i % GROUP);
}

function isRow(bytes: Uint8Array<ArrayBuffer>, words: number): bytes is SealedRow {
  return bytes.length === words * 4;
}

function isMasks(bytes: Uint8Array<ArrayBuffer>, words: number): bytes is MaskMatrix {
  return bytes.length === words * 4;
}

function isPad(words: Uint32Array<ArrayBuffer>): words is Pad {
  return words.every((word) => word < Q);
}
