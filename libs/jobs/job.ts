import type { GalleryId, JobId } from '#platform/ids';
import type { InputRefusal } from './jobs.errors.js';

export const JOB_TYPES = ['enrol', 're-embed', 'identify', 'deduplicate', 'erase'] as const;
export type JobType = (typeof JOB_TYPES)[number];

/** `received`: the input is stored and not yet read; `failed`: the input as a whole was refused, with a code. */
export const JOB_STATES = ['received', 'running', 'ended', 'failed', 'cancelled'] as const;
export type JobState = (typeof JOB_STATES)[number];

export const NDJSON = 'application/x-ndjson';
export const ZIP = 'application/zip';
export const MEDIA_TYPES = [NDJSON, ZIP] as const;
export type MediaType = (typeof MEDIA_TYPES)[number];

export const MOST_ITEMS = 200_000;
export const MOST_INPUT_BYTES = 4 * 2 ** 30;

/** A photograph takes some fifty milliseconds: a chunk is less than a second's work. */
export const PHOTOS_A_CHUNK = 8;

/** So often an input or an item may be begun and not ended before it is taken to kill whatever works on it. */
export const MOST_STARTS = 25;

/** Of a deduplication: what officers could look through. */
export const MOST_PAIRS_FOUND = 100_000;

/** Jobs of one client that are not over. */
export const MOST_JOBS_AT_ONCE = 100;

export interface JobSettings {
  /** Of an identification: how many subjects to name at the most. */
  readonly topK: number;
  /** Of a re-embedding: the gallery whose templates the new ones replace. */
  readonly replaces?: GalleryId;
}

/** How an item ended; each item ends once. */
export const ITEM_OUTCOMES = ['done', 'refused', 'failed'] as const;
export type ItemOutcome = (typeof ITEM_OUTCOMES)[number];

export interface JobView {
  readonly id: JobId;
  readonly galleryId: GalleryId;
  readonly type: JobType;
  readonly state: JobState;
  /** Why the input was refused. */
  readonly code: InputRefusal | null;
  /** The sentence for it. */
  readonly detail: string | null;
  /** Unknown until the input was read. */
  readonly total: number | null;
  readonly done: number;
  readonly refused: number;
  readonly failed: number;
  readonly itemsPerSecond: number | null;
  readonly estimatedEnd: Date | null;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
}

export function isOver(state: JobState): boolean {
  return state === 'ended' || state === 'failed' || state === 'cancelled';
}
