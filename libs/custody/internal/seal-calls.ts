import type { EncryptedScores } from '#homomorphic/kernel/segment-memory';

/** What is stored of a key: AES-256-GCM under db_encryption_key. Only the seal thread ever opens it. */
export interface WrappedKey {
  readonly galleryId: string;
  readonly wrapped: Uint8Array;
}

export interface OpenedPads {
  /** N wrapped pads; pad j belongs to slot j. */
  readonly pads: readonly Uint8Array[];
  readonly masks: Uint8Array<ArrayBuffer>;
}

export interface ScoresToOpen {
  readonly key: WrappedKey;
  readonly segments: readonly {
    segmentId: string;
    slots: Uint16Array<ArrayBuffer>;
    scores: EncryptedScores;
  }[];
  readonly threshold: number;
  readonly limit: number;
}

export interface OpenedScore {
  readonly segmentId: string;
  readonly slot: number;
  readonly score: number;
}

/** The calls of seal.worker.ts. */
export interface SealCalls {
  ready(input: null): true;
  createKey(input: { galleryId: string }): Uint8Array;
  openSegment(input: { key: WrappedKey; segmentId: string; words: number }): OpenedPads;
  seal(input: {
    galleryId: string;
    segmentId: string;
    slot: number;
    pad: Uint8Array;
    template: Int16Array<ArrayBuffer>;
  }): Uint8Array;
  openScores(input: ScoresToOpen): readonly OpenedScore[];
  forget(input: { galleryId: string }): true;
}
