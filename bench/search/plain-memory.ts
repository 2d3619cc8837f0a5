import { SLOTS_PER_SEGMENT } from '#homomorphic/parameters';
import type { QuantisedProbe, QuantisedTemplate } from '#homomorphic/quantised-vector';
import { readFile } from 'node:fs/promises';

const PAGE = 65_536;

/** The compiled scan of plain.ts. */
export async function loadScan(): Promise<WebAssembly.Module> {
  return WebAssembly.compile(await readFile(new URL('./plain.wasm', import.meta.url)));
}

/**
 * As many float32 rows as a segment has slots. They hold the quantised templates: whole numbers whose sums stay below
 * 2^24, so that the float32 scan is also the exact reference of the scores.
 */
export class PlainMemory {
  private readonly memory: WebAssembly.Memory;
  private readonly call: (name: 'scan' | 'read', numbers: readonly number[]) => unknown;
  private readonly outAt: number;
  private readonly rowsAt: number;
  private slots = 0;

  constructor(
    scan: WebAssembly.Module,
    private readonly words: number,
  ) {
    this.outAt = words * 4;
    this.rowsAt = this.outAt + SLOTS_PER_SEGMENT * 4;
    const bytes = this.rowsAt + SLOTS_PER_SEGMENT * words * 4;
    this.memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE) });
    const { exports } = new WebAssembly.Instance(scan, { env: { memory: this.memory } });
    this.call = (name, numbers) => {
      const called = exports[name];
      if (typeof called !== 'function') throw new Error('plain.wasm lacks a function; run npm run build');
      return Reflect.apply(called, undefined, numbers);
    };
  }

  add(template: QuantisedTemplate): void {
    const row = this.rowsAt + this.slots++ * this.words * 4;
    new Float32Array(this.memory.buffer, row, this.words).set(template);
  }

  /** The highest score and its slot. */
  scan(probe: QuantisedProbe): { slot: number; score: number } {
    new Float32Array(this.memory.buffer, 0, this.words).set(probe);
    this.call('scan', [this.rowsAt, this.slots, this.words, 0, this.outAt]);
    const scores = new Float32Array(this.memory.buffer, this.outAt, this.slots);
    let slot = 0;
    for (let j = 1; j < scores.length; j++) if ((scores[j] ?? 0) > (scores[slot] ?? 0)) slot = j;
    return { slot, score: scores[slot] ?? 0 };
  }

  /** Only reads the rows; answers their bytes. */
  read(): number {
    const bytes = SLOTS_PER_SEGMENT * this.words * 4;
    this.call('read', [this.rowsAt, bytes]);
    return bytes;
  }
}
