import type { EncryptedScores } from '#homomorphic/kernel/segment-memory';

/** The calls of match.worker.ts. Rows are concatenated in the order of `slots`. */
export interface MatchCalls {
  load(input: { segmentId: string; words: number; masks: Uint8Array<ArrayBuffer> }): true;
  setRows(input: { segmentId: string; slots: readonly number[]; rows: Uint8Array<ArrayBuffer> }): true;
  clearRow(input: { segmentId: string; slot: number }): true;
  /** Against every row of the segment. */
  match(input: { segmentId: string; probes: readonly Int8Array<ArrayBuffer>[] }): readonly EncryptedScores[];
  /** Against these rows only, which are set first. */
  matchRows(input: {
    segmentId: string;
    slots: readonly number[];
    rows: Uint8Array<ArrayBuffer>;
    probe: Int8Array<ArrayBuffer>;
  }): EncryptedScores;
  drop(input: { segmentIds: readonly string[] }): true;
}
