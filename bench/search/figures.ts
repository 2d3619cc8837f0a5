export interface SearchParts {
  /** Rows and masks, with the calls to the threads. */
  readonly matchMs: number;
  /** The rows alone, in the slowest thread. */
  readonly rowsMs: number;
  /** And the best of all. */
  readonly openMs: number;
}

export interface SearchFigures extends SearchParts {
  readonly probes: number;
  readonly wallMs: number;
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
