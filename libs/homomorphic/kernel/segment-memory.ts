import { readFile } from 'node:fs/promises';
import { SLOTS_PER_SEGMENT } from '../parameters.js';
import type { QuantisedProbe } from '../quantised-vector.js';
import type { MaskMatrix, SealedRow } from '../sealed-row.js';

const PAGE = 65_536;
const SLOTS_A_STEP = 128;

/** So many probes share one pass over a segment. */
export const MOST_PROBES = 8;

/** The kernel takes four probes at once; for one alone there is a kernel of its own. */
const PROBES_A_STEP = 4;
const HALF = SLOTS_PER_SEGMENT * 4;

/** Both halves of a BFV ciphertext of scores: N residues mod q each, coefficient j belonging to slot j. */
export interface EncryptedScores {
  readonly c0: Uint32Array<ArrayBuffer>;
  readonly c1: Uint32Array<ArrayBuffer>;
}

interface KernelExports {
  matvec(rows: number, n: number, d: number, probe: number, out: number): void;
  matmul(
    rows: number,
    n: number,
    d: number,
    probes: number,
    count: number,
    out: number,
    stride: number,
  ): void;
}

/** The compiled kernel; a module is shared by all threads and instantiated for each segment. */
export async function loadKernel(): Promise<WebAssembly.Module> {
  return WebAssembly.compile(await readFile(new URL('./kernel.wasm', import.meta.url)));
}

/**
 * The masks and rows of one segment in a WebAssembly memory of its own, so that dropping a segment frees it. Rows
 * take room only up to the highest slot used. Layout: probes, c0 of each, c1 of each, masks, rows.
 */
export class SegmentMemory {
  private readonly memory: WebAssembly.Memory;
  private readonly kernel: KernelExports;
  private readonly rowBytes: number;
  private readonly probeAt = 0;
  private readonly c0At: number;
  private readonly c1At: number;
  private readonly masksAt: number;
  private readonly rowsAt: number;
  private slots = 0;
  private capacity = 0;

  /** `words`: the padded dimension; `masks`: N rows of that many words. */
  constructor(
    kernel: WebAssembly.Module,
    private readonly words: number,
    masks: MaskMatrix,
  ) {
    if (masks.length !== SLOTS_PER_SEGMENT * words * 4) throw new RangeError('masks of another dimension');
    this.rowBytes = words * 4;
    this.c0At = words * 2 * MOST_PROBES;
    this.c1At = this.c0At + HALF * MOST_PROBES;
    this.masksAt = this.c1At + HALF * MOST_PROBES;
    this.rowsAt = this.masksAt + masks.length;
    const most = pages(this.rowsAt + SLOTS_PER_SEGMENT * this.rowBytes);
    this.memory = new WebAssembly.Memory({ initial: pages(this.rowsAt), maximum: most });
    this.kernel = instantiate(kernel, this.memory);
    new Uint8Array(this.memory.buffer).set(masks, this.masksAt);
  }

  get bytes(): number {
    return this.memory.buffer.byteLength;
  }

  setRow(slot: number, row: SealedRow): void {
    if (row.length !== this.rowBytes) throw new RangeError('a row of another dimension');
    this.makeRoom(this.at(slot) / this.rowBytes + 1);
    new Uint8Array(this.memory.buffer).set(row, this.rowsAt + this.at(slot));
  }

  clearRow(slot: number): void {
    if (slot < this.slots) {
      new Uint8Array(this.memory.buffer).fill(
        0,
        this.rowsAt + this.at(slot),
        this.rowsAt + this.at(slot + 1),
      );
    }
  }

  /**
   * The encrypted scores of `probe` (as many words as the segment) against the rows of `slots`, or against every
   * row. Coefficients of slots without a row, or not asked for, hide nothing and mean nothing: open none of them.
   */
  match(probe: QuantisedProbe, slots?: readonly number[]): EncryptedScores {
    if (probe.length !== this.words) throw new RangeError('a probe of another dimension');
    new Int16Array(this.memory.buffer, this.probeAt, this.words).set(probe);
    this.clearHalf(this.c0At);
    if (slots === undefined) {
      this.kernel.matvec(this.rowsAt, this.slots, this.words, this.probeAt, this.c0At);
    } else {
      for (const slot of slots) {
        if (slot >= this.slots) throw new RangeError('a slot without a row');
        this.kernel.matvec(this.rowsAt + this.at(slot), 1, this.words, this.probeAt, this.c0At + slot * 4);
      }
    }
    this.kernel.matvec(this.masksAt, SLOTS_PER_SEGMENT, this.words, this.probeAt, this.c1At);
    return { c0: this.copy(this.c0At), c1: this.copy(this.c1At) };
  }

  /** The same for up to MOST_PROBES probes against every row, in one pass over the memory. */
  matchAll(probes: readonly QuantisedProbe[]): EncryptedScores[] {
    const [only] = probes;
    if (only !== undefined && probes.length === 1) return [this.match(only)];
    if (probes.length > MOST_PROBES) throw new RangeError('too many probes for one pass');
    const count = Math.ceil(probes.length / PROBES_A_STEP) * PROBES_A_STEP;
    const digits = new Int16Array(this.memory.buffer, this.probeAt, count * this.words).fill(0);
    probes.forEach((probe, k) => {
      if (probe.length !== this.words) throw new RangeError('a probe of another dimension');
      digits.set(probe, k * this.words);
      this.clearHalf(this.c0At + k * HALF);
    });
    const { kernel, words, probeAt } = this;
    kernel.matmul(this.rowsAt, this.slots, words, probeAt, count, this.c0At, HALF);
    kernel.matmul(this.masksAt, SLOTS_PER_SEGMENT, words, probeAt, count, this.c1At, HALF);
    return probes.map((_, k) => ({
      c0: this.copy(this.c0At + k * HALF),
      c1: this.copy(this.c1At + k * HALF),
    }));
  }

  private clearHalf(offset: number): void {
    new Uint32Array(this.memory.buffer, offset, SLOTS_PER_SEGMENT).fill(0);
  }

  private at(slot: number): number {
    if (!Number.isInteger(slot) || slot < 0 || slot > SLOTS_PER_SEGMENT) throw new RangeError('no such slot');
    return slot * this.rowBytes;
  }

  private makeRoom(slots: number): void {
    if (slots > SLOTS_PER_SEGMENT) throw new RangeError('no such slot');
    if (slots > this.capacity) {
      this.capacity = Math.min(SLOTS_PER_SEGMENT, Math.ceil(slots / SLOTS_A_STEP) * SLOTS_A_STEP);
      const missing =
        pages(this.rowsAt + this.capacity * this.rowBytes) - this.memory.buffer.byteLength / PAGE;
      if (missing > 0) this.memory.grow(missing);
    }
    this.slots = Math.max(this.slots, slots);
  }

  private copy(offset: number): Uint32Array<ArrayBuffer> {
    return new Uint32Array(this.memory.buffer.slice(offset, offset + HALF));
  }
}

function pages(bytes: number): number {
  return Math.ceil(bytes / PAGE);
}

function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): KernelExports {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const { matvec, matmul } = exports;
  if (typeof matvec !== 'function' || typeof matmul !== 'function') {
    throw new Error('kernel.wasm lacks a function; run npm run build');
  }
  return {
    matvec: (...numbers) => void Reflect.apply(matvec, undefined, numbers),
    matmul: (...numbers) => void Reflect.apply(matmul, undefined, numbers),
  };
}
