import type { EncryptedScores } from '#homomorphic/kernel/segment-memory';

export interface MatchedSegment {
  readonly segmentId: string;
  readonly scores: EncryptedScores;
}

/** The calls of match.worker.ts. Rows are concatenated in the order of `slots`. */
export interface MatchCalls {
  load(input: { segmentId: string; words: number; masks: Uint8Array<ArrayBuffer> }): true;
  setRows(input: { segmentId: string; slots: readonly number[]; rows: Uint8Array<ArrayBuffer> }): true;
  clearRow(input: { segmentId: string; slot: number }): true;
  /** Against every row of these segments. */
  match(input: { segmentIds: readonly string[]; probe: Int8Array<ArrayBuffer> }): readonly MatchedSegment[];
  /** Against these rows only, which are set first. */
  matchRows(input: {
    segmentId: string;
    slots: readonly number[];
    rows: Uint8Array<ArrayBuffer>;
    probe: Int8Array<ArrayBuffer>;
  }): MatchedSegment;
  drop(input: { segmentIds: readonly string[] }): true;
}
