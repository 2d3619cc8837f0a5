import { readFile } from 'node:fs/promises';
import { SLOTS_PER_SEGMENT } from '../parameters.js';
import type { QuantisedProbe } from '../quantised-vector.js';
import type { MaskMatrix, SealedRow } from '../sealed-row.js';

const PAGE = 65_536;
const SLOTS_A_STEP = 128;

/** Both halves of a BFV ciphertext of scores: N residues mod q each, coefficient j belonging to slot j. */
export interface EncryptedScores {
  readonly c0: Uint32Array<ArrayBuffer>;
  readonly c1: Uint32Array<ArrayBuffer>;
}

interface KernelExports {
  matvec(rows: number, n: number, d: number, probe: number, out: number): void;
}

/** The compiled kernel; a module is shared by all threads and instantiated for each segment. */
export async function loadKernel(): Promise<WebAssembly.Module> {
  return WebAssembly.compile(await readFile(new URL('./kernel.wasm', import.meta.url)));
}

/**
 * The masks and rows of one segment in a WebAssembly memory of its own, so that dropping a segment frees it. Rows
 * take room only up to the highest slot used. Layout: probe, c0, c1, masks, rows.
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
    this.c0At = words * 2;
    this.c1At = this.c0At + SLOTS_PER_SEGMENT * 4;
    this.masksAt = this.c1At + SLOTS_PER_SEGMENT * 4;
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
    new Uint32Array(this.memory.buffer, this.c0At, SLOTS_PER_SEGMENT).fill(0);
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
    return new Uint32Array(this.memory.buffer.slice(offset, offset + SLOTS_PER_SEGMENT * 4));
  }
}

function pages(bytes: number): number {
  return Math.ceil(bytes / PAGE);
}

function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): KernelExports {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const matvec: unknown = exports['matvec'];
  if (typeof matvec !== 'function') throw new Error('kernel.wasm lacks matvec; run npm run build');
  return {
    matvec: (rows, n, d, probe, out) => {
      Reflect.apply(matvec, undefined, [rows, n, d, probe, out]);
    },
  };
}
