import { readFile } from 'node:fs/promises';
import { MAX_DIMENSION, SLOTS_PER_SEGMENT } from '../parameters.js';
import type { PairScore, QuantisedTemplate } from '../quantised-vector.js';

const PAGE = 65_536;
const SUMS_BYTES = 32;
const LABELS_BYTES = SLOTS_PER_SEGMENT * 4;
const WORDS_A_PAIR = 3;

/** Layout of the memory: sums, labels left and right, then templates left and right, then what was found. */
const LEFT_LABELS = SUMS_BYTES;
const RIGHT_LABELS = LEFT_LABELS + LABELS_BYTES;
const TEMPLATES = RIGHT_LABELS + LABELS_BYTES;

/** At most N templates in the clear, all of the same length, each with the label of its subject. */
export interface LabelledTemplates {
  readonly templates: readonly QuantisedTemplate[];
  readonly labels: Uint32Array;
}

/** Three numbers a pair: place left, place right, and their PairScore. */
export type FoundPairs = Int32Array<ArrayBuffer>;

/** Inner products of templates in the clear, in integers. Nothing of them stays in its memory. */
export class PairKernel {
  private readonly memory = new WebAssembly.Memory({ initial: 1 });
  private readonly alike: (...numbers: number[]) => number;

  private constructor(kernel: WebAssembly.Module) {
    const { alike } = new WebAssembly.Instance(kernel, { env: { memory: this.memory } }).exports;
    if (typeof alike !== 'function') throw new Error('pairs.wasm lacks a function; run npm run build');
    this.alike = (...numbers) => Number(Reflect.apply(alike, undefined, numbers));
  }

  static async load(): Promise<PairKernel> {
    return new PairKernel(
      await WebAssembly.compile(await readFile(new URL('./pairs.wasm', import.meta.url))),
    );
  }

  /**
   * The pairs of different labels at or above the threshold: each template on the left with each on the right, or where
   * both are the same object, each pair of it once. Undefined if there are more than `most`. The caller MUST zero the
   * templates after use.
   */
  pairs(
    left: LabelledTemplates,
    right: LabelledTemplates,
    threshold: PairScore,
    most: number,
  ): FoundPairs | undefined {
    const [n, m] = [left.templates.length, right.templates.length];
    if (n === 0 || m === 0) return new Int32Array();
    const words = left.templates[0]?.length ?? 0;
    if (words > MAX_DIMENSION) throw new RangeError('templates are too long');
    const within = left === right;
    const rightAt = within ? TEMPLATES : TEMPLATES + roomFor(left, words);
    const out = rightAt + roomFor(right, words);
    this.makeRoom(out + most * WORDS_A_PAIR * 4);
    this.place(left, words, TEMPLATES, LEFT_LABELS);
    this.place(right, words, rightAt, RIGHT_LABELS);
    const found = this.alike(
      TEMPLATES,
      LEFT_LABELS,
      n,
      rightAt,
      RIGHT_LABELS,
      m,
      Number(within),
      words,
      threshold,
      0,
      out,
      most,
    );
    const bytes = Math.min(found, most) * WORDS_A_PAIR * 4;
    const pairs = new Int32Array(this.memory.buffer.slice(out, out + bytes));
    new Uint8Array(this.memory.buffer, 0, out + bytes).fill(0);
    return found > most ? undefined : pairs;
  }

  private place({ templates, labels }: LabelledTemplates, words: number, at: number, labelsAt: number): void {
    if (templates.length > SLOTS_PER_SEGMENT || labels.length !== templates.length) {
      throw new RangeError('templates and labels of at most one segment');
    }
    const digits = new Int16Array(this.memory.buffer, at, templates.length * words);
    templates.forEach((template, n) => {
      if (template.length !== words) throw new RangeError('a template of another dimension');
      digits.set(template, n * words);
    });
    new Uint32Array(this.memory.buffer, labelsAt, labels.length).set(labels);
  }

  private makeRoom(bytes: number): void {
    const missing = Math.ceil(bytes / PAGE) - this.memory.buffer.byteLength / PAGE;
    if (missing > 0) this.memory.grow(missing);
  }
}

/** The kernel takes four templates at once. */
function roomFor({ templates }: LabelledTemplates, words: number): number {
  return Math.ceil(templates.length / 4) * 4 * words * 2;
}
