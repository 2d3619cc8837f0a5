import type { ConsentId, SegmentId, SubjectId } from '#platform/ids';
import type { ItemRefusal } from '../jobs.errors.js';

/** A line of NDJSON: where it stands. */
export interface LinePointer {
  readonly at: number;
  readonly length: number;
}

/** A file of an archive: where its local header stands, and what its directory says of it. */
export interface FilePointer {
  readonly at: number;
  readonly compressed: number;
  readonly size: number;
  readonly method: number;
  readonly crc: number;
}

export interface PhotosPointer {
  readonly files: readonly FilePointer[];
  readonly subjectId?: SubjectId;
  readonly consentId?: ConsentId;
}

/** Of a deduplication: two segments that are compared, or one with itself. */
export interface SegmentPair {
  readonly left: SegmentId;
  readonly right: SegmentId;
}

/** Where an item stands in the input: offsets, lengths and ids, never what it says. */
export type ItemPointer = LinePointer | PhotosPointer | SegmentPair;

export interface RefusedPlan {
  readonly refused: ItemRefusal | 'subject_not_found';
}

/** An item as it stands in the input: to be done, or refused at once. */
export type PlannedItem =
  { readonly pointer: ItemPointer; readonly subjectId?: SubjectId | undefined } | RefusedPlan;

/** Where an item is sealed by itself, and what its key is made of beside the job's. */
export interface ItemRecord {
  readonly at: number;
  readonly length: number;
  readonly secret: Buffer;
}

/** An item as it is first written down; its pointer counts from the beginning of its record. */
export type SealedItem =
  | {
      readonly pointer: ItemPointer;
      /** Undefined: of a job without input. */
      readonly record?: ItemRecord;
      /** Whom it names. */
      readonly subjectId?: SubjectId | undefined;
    }
  | RefusedPlan;
