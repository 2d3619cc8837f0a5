import type { KeyObject } from 'node:crypto';
import type { BoundPlace } from '../template-binding.js';
import type { PackedRows } from './match-calls.js';

/** What stands in the places of a segment now: rows that are bound to them, and rows without a binding. */
export interface ReadSegment extends PackedRows {
  /** Those of `slots` whose rows have no binding. */
  readonly unbound: readonly number[];
  /** Slots of rows that are bound to something else; these are left out. */
  readonly broken: readonly number[];
}

/** The calls of load.worker.ts. */
export interface LoadCalls {
  /** The rows of `places`, all of one segment, as the database has them now. */
  readSegment(input: {
    galleryId: string;
    segmentId: string;
    words: number;
    key: KeyObject | undefined;
    places: readonly BoundPlace[];
  }): ReadSegment;
  expandMasks(input: { seed: Uint8Array<ArrayBuffer>; words: number }): Uint8Array<ArrayBuffer>;
}
