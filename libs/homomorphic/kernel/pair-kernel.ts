import { readFile } from 'node:fs/promises';
import { MAX_DIMENSION, SLOTS_PER_SEGMENT } from '../parameters.js';
import { mostTemplateSquares, type PairScore } from '../quantised-vector.js';

const PAGE = 65_536;
const SUMS_BYTES = 32;
const LABELS_BYTES = SLOTS_PER_SEGMENT * 4;
const WORDS_A_PAIR = 3;

/** Layout of the memory: sums, labels left and right; then templates left and right, a sealed segment, what was found. */
const LEFT_LABELS = SUMS_BYTES;
const RIGHT_LABELS = LEFT_LABELS + LABELS_BYTES;
const TEMPLATES = RIGHT_LABELS + LABELS_BYTES;

/** Sealed rows of one segment, and what unseals them. */
export interface UnsealableRows {
  /** One after the other, in the order of `slots`. */
  readonly rows: Uint8Array;
  readonly slots: Uint16Array;
  /** The pads of all N slots of the segment. Secret. */
  readonly pads: Uint32Array;
  /** Whose the rows are: those of one label are of one subject, and no pair. */
  readonly labels: Uint32Array;
}

/** A row is no template under the pad of its slot. */
export class NotSealedHere extends RangeError {
  override readonly name = 'NotSealedHere';
}

/** Three numbers a pair: place left, place right, and their PairScore. */
export type FoundPairs = Int32Array<ArrayBuffer>;

/** Unseals templates and multiplies them in integers. They are nowhere but in its memory, and not after a call. */
export class PairKernel {
  private readonly memory = new WebAssembly.Memory({ initial: 1 });
  private readonly call: (name: 'unseal' | 'alike', ...numbers: number[]) => number;

  private constructor(kernel: WebAssembly.Module) {
    const { exports } = new WebAssembly.Instance(kernel, { env: { memory: this.memory } });
    this.call = (name, ...numbers) => {
      const called = exports[name];
      if (typeof called !== 'function') throw new Error('pairs.wasm lacks a function; run npm run build');
      return Number(Reflect.apply(called, undefined, numbers));
    };
  }

  static async load(): Promise<PairKernel> {
    return new PairKernel(
      await WebAssembly.compile(await readFile(new URL('./pairs.wasm', import.meta.url))),
    );
  }

  /**
   * The pairs of different labels at or above the threshold, of rows of `words` words: each on the left with each on the
   * right, or where both are the same object, each pair of it once. Undefined if there are more than `most`. Throws
   * NotSealedHere if a row is no template under the pad of its slot.
   */
  pairs(
    left: UnsealableRows,
    right: UnsealableRows,
    words: number,
    threshold: PairScore,
    most: number,
  ): FoundPairs | undefined {
    const within = left === right;
    for (const side of [left, right]) check(side, words);
    const rightAt = within ? TEMPLATES : TEMPLATES + roomFor(left, words);
    const sealedAt = rightAt + roomFor(right, words);
    const sealed = Math.max(left.slots.length, right.slots.length) * words * 4;
    const out = sealedAt + 2 * sealed;
    const end = out + most * WORDS_A_PAIR * 4;
    this.makeRoom(end);
    try {
      this.unseal(left, words, sealedAt, TEMPLATES, LEFT_LABELS);
      if (!within) this.unseal(right, words, sealedAt, rightAt, RIGHT_LABELS);
      const rightLabels = within ? LEFT_LABELS : RIGHT_LABELS;
      const leftSide = [TEMPLATES, LEFT_LABELS, left.slots.length];
      const rightSide = [rightAt, rightLabels, right.slots.length];
      const found = this.call(
        'alike',
        ...leftSide,
        ...rightSide,
        Number(within),
        words,
        threshold,
        0,
        out,
        most,
      );
      if (found > most) return undefined;
      return new Int32Array(this.memory.buffer.slice(out, out + found * WORDS_A_PAIR * 4));
    } finally {
      new Uint8Array(this.memory.buffer, 0, end).fill(0);
    }
  }

  private unseal(side: UnsealableRows, words: number, sealedAt: number, at: number, labelsAt: number): void {
    const { rows, slots, pads, labels } = side;
    const padsAt = sealedAt + rows.length;
    new Uint8Array(this.memory.buffer).set(rows, sealedAt);
    const ordered = new Uint32Array(this.memory.buffer, padsAt, slots.length * words);
    slots.forEach((slot, n) => ordered.set(pads.subarray(slot * words, (slot + 1) * words), n * words));
    new Uint32Array(this.memory.buffer).set(labels, labelsAt / 4);
    const most = mostTemplateSquares(words);
    if (this.call('unseal', sealedAt, padsAt, slots.length, words, most, at) > 0) {
      throw new NotSealedHere('a row that was not sealed under the pad of its slot');
    }
  }

  private makeRoom(bytes: number): void {
    const missing = Math.ceil(bytes / PAGE) - this.memory.buffer.byteLength / PAGE;
    if (missing > 0) this.memory.grow(missing);
  }
}

function check({ rows, slots, pads, labels }: UnsealableRows, words: number): void {
  const fits =
    words <= MAX_DIMENSION &&
    words % 16 === 0 &&
    rows.length === slots.length * words * 4 &&
    pads.length === SLOTS_PER_SEGMENT * words &&
    labels.length === slots.length &&
    slots.length <= SLOTS_PER_SEGMENT &&
    slots.every((slot) => slot < SLOTS_PER_SEGMENT);
  if (!fits) throw new RangeError('rows, slots, pads and labels do not belong together');
}

/** The kernel takes four templates at once. */
function roomFor({ slots }: UnsealableRows, words: number): number {
  return Math.ceil(slots.length / 4) * 4 * words * 2;
}
