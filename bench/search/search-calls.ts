export interface Found {
  /** Counted over the whole gallery. */
  readonly index: number;
  readonly score: number;
}

export interface Searched {
  readonly matchMs: number;
  readonly openMs: number;
  readonly pickMs: number;
  /** The best of this thread's share, for each probe. */
  readonly best: readonly Found[];
}

/** The calls of search.worker.ts. Segment i of the gallery belongs to thread i modulo the number of threads. */
export interface SearchCalls {
  build(input: { words: number; rows: readonly number[]; first: readonly number[]; secret: Uint8Array }): {
    encryptedBytes: number;
    plainBytes: number;
  };
  /** Over this thread's first `segments` segments. */
  search(input: { segments: number; probes: readonly Int8Array<ArrayBuffer>[] }): Searched;
  scan(input: { segments: number; probe: Int8Array<ArrayBuffer> }): { ms: number; best: Found };
  read(input: { segments: number }): { ms: number; bytes: number };
  verify(input: { probe: Int8Array<ArrayBuffer>; slot: number }): { ms: number };
  clear(input: null): true;
}
