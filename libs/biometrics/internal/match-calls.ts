import type { Residues } from '#homomorphic/kernel/row-memory';

/** Rows one after the other, the n-th of them that of `slots[n]`. */
export interface PackedRows {
  readonly slots: Uint16Array<ArrayBuffer>;
  readonly rows: Uint8Array<ArrayBuffer>;
}

type Probes = readonly Int8Array<ArrayBuffer>[];

/** The calls of match.worker.ts. Products are answered for each probe in turn. */
export interface MatchCalls {
  setMasks(input: { galleryId: string; words: number; masks: Uint8Array<ArrayBuffer> }): true;
  /** Into a segment that the thread holds from then on. */
  setRows(input: { segmentId: string; words: number; packed: PackedRows }): true;
  clearRow(input: { segmentId: string; slot: number }): true;
  /** c1 of each probe. */
  maskProducts(input: { galleryId: string; probes: Probes }): readonly Residues[];
  /** c0 of each probe, for each of the segments in turn. */
  segmentProducts(input: { segmentIds: readonly string[]; probes: Probes }): readonly (readonly Residues[])[];
  /** The products with these rows, which are held no longer than that: the n-th is of the n-th row. */
  packedProducts(input: {
    words: number;
    rows: Uint8Array<ArrayBuffer>;
    probes: Probes;
  }): readonly Residues[];
  /** c1 of one probe, and its products with these rows. */
  verify(input: {
    galleryId: string;
    words: number;
    rows: Uint8Array<ArrayBuffer>;
    probe: Int8Array<ArrayBuffer>;
  }): { readonly c1: Residues; readonly products: Residues };
  drop(input: { ids: readonly string[] }): true;
}
