export interface SearchFigures {
  readonly probes: number;
  readonly wallMs: number;
  readonly matchMs: number;
  readonly openMs: number;
  readonly pickMs: number;
}

export interface GalleryFigures {
  readonly dimension: number;
  readonly size: number;
  /** Whether every answer was the planted one, with the score of the exact plaintext scan. */
  readonly right: boolean;
  readonly buildSeconds: number;
  readonly encryptedBytes: number;
  readonly plainBytes: number;
  readonly scanMs: number;
  readonly readBytesPerSecond: number;
  readonly searches: readonly SearchFigures[];
  readonly verifyMs: number;
}
