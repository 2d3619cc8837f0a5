import type { Residues } from '#homomorphic/kernel/row-memory';

export interface Found {
  /** Counted over the whole gallery. */
  readonly index: number;
  readonly score: number;
}

type Probes = readonly Int8Array<ArrayBuffer>[];

/** The calls of search.worker.ts. Segment i of the gallery belongs to thread i modulo the number of threads. */
export interface SearchCalls {
  build(input: {
    words: number;
    rows: readonly number[];
    first: readonly number[];
    seed: Uint8Array<ArrayBuffer>;
  }): { encryptedBytes: number; maskBytes: number; plainBytes: number };
  /** c1 of each probe. */
  maskProducts(input: { probes: Probes }): readonly Residues[];
  /** Of this thread's segments; what it finds stays in the thread until it is opened. */
  match(input: { probes: Probes }): { ms: number };
  /** The best of this thread's share, for each probe. */
  open(input: { c1: readonly Residues[]; probes: Probes }): readonly (readonly Found[])[];
  scan(input: { probe: Int8Array<ArrayBuffer> }): { ms: number; best: Found };
  read(input: null): { ms: number; bytes: number };
  verify(input: { probe: Int8Array<ArrayBuffer>; nth: number }): { ms: number };
  clear(input: null): true;
}
