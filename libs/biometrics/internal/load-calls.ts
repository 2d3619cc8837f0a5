import type { PackedRows } from './match-calls.js';

/** The calls of load.worker.ts. */
export interface LoadCalls {
  /** All rows of a segment, as the database has them now. */
  readSegment(input: { galleryId: string; segmentId: string; words: number }): PackedRows;
  expandMasks(input: { seed: Uint8Array<ArrayBuffer>; words: number }): Uint8Array<ArrayBuffer>;
}
