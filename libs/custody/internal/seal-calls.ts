import type { FoundPairs } from '#homomorphic/kernel/pair-kernel';
import type { Residues } from '#homomorphic/kernel/row-memory';

/** What is stored of a segment's secret: AES-256-GCM under custody_encryption_key. Only the seal thread ever opens it. */
export interface WrappedSecret {
  readonly galleryId: string;
  readonly segmentId: string;
  /** Public, and authenticated with the secret: under other masks the same noise would show the key. */
  readonly maskSeed: Uint8Array<ArrayBuffer>;
  readonly wrapped: Uint8Array;
  /** Of the key set; undefined for a segment from before custody was adopted. */
  readonly share: Uint8Array<ArrayBuffer> | undefined;
}

export interface ScoresToOpen {
  /** Shared by all segments. */
  readonly c1: Residues;
  readonly probe: Int8Array<ArrayBuffer>;
  readonly segments: readonly {
    readonly key: WrappedSecret;
    readonly slots: Uint16Array<ArrayBuffer>;
    readonly c0: Residues;
  }[];
  readonly threshold: number;
  readonly limit: number;
}

export interface OpenedScore {
  readonly segmentId: string;
  readonly slot: number;
  readonly score: number;
}

export interface OpenedScores {
  /** Best first. */
  readonly best: readonly OpenedScore[];
  /** How many were left out that no row and probe have made. */
  readonly forged: number;
}

/** Sealed rows one after the other, of slots that hold one each, and a label for the subject of each. */
export interface RowsToCompare {
  readonly key: WrappedSecret;
  readonly slots: Uint16Array<ArrayBuffer>;
  readonly rows: Uint8Array<ArrayBuffer>;
  readonly labels: Uint32Array<ArrayBuffer>;
}

export interface PairsToFind {
  readonly left: RowsToCompare;
  /** Undefined: the rows on the left with one another. */
  readonly right: RowsToCompare | undefined;
  readonly words: number;
  readonly threshold: number;
  readonly most: number;
}

/** The calls of seal.worker.ts. */
export interface SealCalls {
  ready(input: null): true;
  /** The wrapped secret of a new segment. */
  createSecret(input: {
    galleryId: string;
    segmentId: string;
    maskSeed: Uint8Array<ArrayBuffer>;
    share: Uint8Array<ArrayBuffer> | undefined;
  }): Uint8Array;
  /** From now on secrets are wrapped with custody_encryption_key, also where installations of before had another. */
  adopt(input: null): true;
  /** The same secrets under the current key; undefined for one that does not open. */
  rewrap(input: readonly WrappedSecret[]): readonly (Uint8Array | undefined)[];
  /** Makes the segment's pads ahead of the first template. */
  preparePads(input: { key: WrappedSecret; words: number }): true;
  /** Rows one after the other: template n under the pad of slot `first` + n. */
  seal(input: {
    key: WrappedSecret;
    first: number;
    templates: readonly Int16Array<ArrayBuffer>[];
  }): Uint8Array<ArrayBuffer>;
  /** Rows of `slots` of one segment under the pads of slot `first` and those that follow of another. */
  moveRows(input: {
    from: WrappedSecret;
    slots: Uint16Array<ArrayBuffer>;
    rows: Uint8Array<ArrayBuffer>;
    to: WrappedSecret;
    first: number;
    words: number;
  }): Uint8Array<ArrayBuffer>;
  /** Undefined if c1 was not made from the probe, or a word of c0 is no residue. */
  openScores(input: ScoresToOpen): OpenedScores | undefined;
  /** False if one does not unwrap. */
  checkKeys(input: readonly WrappedSecret[]): boolean;
  /** Undefined if there are more than `most`; 'forged' if a row is no template under the pad of its slot. */
  comparePairs(input: PairsToFind): FoundPairs | 'forged' | undefined;
  held(input: null): { readonly keys: number; readonly padBytes: number };
  forget(input: { galleryId: string }): true;
}
