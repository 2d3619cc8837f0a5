import { readFile } from 'node:fs/promises';
import { SLOTS_PER_SEGMENT } from '../parameters.js';
import type { QuantisedProbe } from '../quantised-vector.js';
import type { SealedRow } from '../sealed-row.js';

const PAGE = 65_536;
const SLOTS_A_STEP = 128;

/** So many probes share one pass over a segment. */
export const MOST_PROBES = 8;

/** The kernel takes four probes at once; for one alone there is a kernel of its own. */
const PROBES_A_STEP = 4;
const RESULT = SLOTS_PER_SEGMENT * 4;

/** N residues mod q: one half of a ciphertext, coefficient j belonging to slot j. */
export type Residues = Uint32Array<ArrayBuffer>;

/** Both halves of a BFV ciphertext of scores. c1 comes from the masks alone: all segments of a gallery share it. */
export interface EncryptedScores {
  readonly c0: Residues;
  readonly c1: Residues;
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

/** The compiled kernel; a module is shared by all threads and instantiated for each memory. */
export async function loadKernel(): Promise<WebAssembly.Module> {
  return WebAssembly.compile(await readFile(new URL('./kernel.wasm', import.meta.url)));
}

/**
 * Up to N rows in a WebAssembly memory of their own, so that dropping them frees it: the sealed rows of a segment, or a
 * gallery's masks. Rows take room only up to the highest slot used. Layout: probes, a result for each, rows.
 */
export class RowMemory {
  private readonly memory: WebAssembly.Memory;
  private readonly kernel: KernelExports;
  private readonly rowBytes: number;
  private readonly probeAt = 0;
  private readonly resultAt: number;
  private readonly rowsAt: number;
  private slots = 0;
  private capacity = 0;

  /** `words`: the padded dimension. */
  constructor(
    kernel: WebAssembly.Module,
    private readonly words: number,
  ) {
    this.rowBytes = words * 4;
    this.resultAt = words * 2 * MOST_PROBES;
    this.rowsAt = this.resultAt + RESULT * MOST_PROBES;
    this.memory = new WebAssembly.Memory({
      initial: pages(this.rowsAt),
      maximum: pages(this.rowsAt + SLOTS_PER_SEGMENT * this.rowBytes),
    });
    this.kernel = instantiate(kernel, this.memory);
  }

  /** What a memory with rows up to `slots` takes, in bytes. */
  static bytes(words: number, slots: number): number {
    const capacity = Math.min(SLOTS_PER_SEGMENT, Math.ceil(slots / SLOTS_A_STEP) * SLOTS_A_STEP);
    return pages((words * 2 + RESULT) * MOST_PROBES + capacity * words * 4) * PAGE;
  }

  get bytes(): number {
    return this.memory.buffer.byteLength;
  }

  setRow(slot: number, row: SealedRow): void {
    if (row.length !== this.rowBytes) throw new RangeError('a row of another dimension');
    this.makeRoom(this.at(slot) / this.rowBytes + 1);
    new Uint8Array(this.memory.buffer).set(row, this.rowsAt + this.at(slot));
  }

  /** Rows one after the other, from slot 0 on. */
  setRows(rows: Uint8Array): void {
    const count = rows.length / this.rowBytes;
    if (!Number.isInteger(count)) throw new RangeError('rows of another dimension');
    this.makeRoom(count);
    new Uint8Array(this.memory.buffer).set(rows, this.rowsAt);
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

  clear(): void {
    new Uint8Array(this.memory.buffer, this.rowsAt, this.slots * this.rowBytes).fill(0);
    this.slots = 0;
  }

  /**
   * For each of up to MOST_PROBES probes (as many words as a row) its products with every row, in one pass over the
   * memory. Coefficients of slots without a row hide nothing and mean nothing: open none of them.
   */
  products(probes: readonly QuantisedProbe[]): Residues[] {
    if (probes.length > MOST_PROBES) throw new RangeError('too many probes for one pass');
    const count = probes.length === 1 ? 1 : Math.ceil(probes.length / PROBES_A_STEP) * PROBES_A_STEP;
    const digits = new Int16Array(this.memory.buffer, this.probeAt, count * this.words).fill(0);
    probes.forEach((probe, k) => {
      if (probe.length !== this.words) throw new RangeError('a probe of another dimension');
      digits.set(probe, k * this.words);
    });
    new Uint8Array(this.memory.buffer, this.resultAt, probes.length * RESULT).fill(0);
    const { kernel, words, probeAt, resultAt, rowsAt, slots } = this;
    if (count === 1) kernel.matvec(rowsAt, slots, words, probeAt, resultAt);
    else kernel.matmul(rowsAt, slots, words, probeAt, count, resultAt, RESULT);
    digits.fill(0);
    return probes.map((_, k) => {
      const at = resultAt + k * RESULT;
      return new Uint32Array(this.memory.buffer.slice(at, at + RESULT));
    });
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
