import type { EncryptedScores } from '#homomorphic/kernel/segment-memory';
import type { QuantisedTemplate, Score } from '#homomorphic/quantised-vector';
import type { MaskMatrix, SealedRow } from '#homomorphic/sealed-row';
import type { GalleryId, SegmentId } from '#platform/ids';

export interface SealedTemplate {
  readonly segmentId: SegmentId;
  readonly slot: number;
  readonly row: SealedRow;
}

export interface SegmentScores {
  readonly segmentId: SegmentId;
  /** The slots to open. Each MUST hold a row; the custodian refuses one whose pad is unused. */
  readonly slots: Uint16Array<ArrayBuffer>;
  readonly scores: EncryptedScores;
}

export interface OpeningRequest {
  readonly galleryId: GalleryId;
  readonly segments: readonly SegmentScores[];
  /** Scores below it never leave the custodian. */
  readonly threshold: Score;
  /** How many candidates to answer at most; above MOST_CANDIDATES the request is refused. */
  readonly limit: number;
}

export interface Candidate {
  readonly segmentId: SegmentId;
  readonly slot: number;
  readonly score: Score;
}

/** Enough for 20 subjects with 10 templates each. */
export const MOST_CANDIDATES = 200;

/**
 * The port to secret keys and pads (DESIGN.md section 4). No method gives out a key, a pad or a score below the
 * threshold. All throw KeySetNotFound once a gallery's keys are destroyed.
 */
export abstract class KeyCustodian {
  /** Resolves while keys can be opened and scores decrypted; rejects otherwise. */
  abstract ready(): Promise<void>;

  /** Makes a gallery's secret key. `dimension` is that of its embeddings. Doing it twice keeps the first key. */
  abstract createKeySet(galleryId: GalleryId, dimension: number): Promise<void>;

  /** Sees to it in the background that pads are ready, so that the next enrolment does not wait for a segment. */
  abstract preparePads(galleryId: GalleryId): void;

  /** Takes an unused pad, for good, and seals the template under it. */
  abstract seal(galleryId: GalleryId, template: QuantisedTemplate): Promise<SealedTemplate>;

  /** The public masks of a segment, which a matcher needs once. */
  abstract masks(galleryId: GalleryId, segmentId: SegmentId): Promise<MaskMatrix>;

  /** Takes the scores over, decrypts them and answers those at or above the threshold, best first. */
  abstract openScores(request: OpeningRequest): Promise<readonly Candidate[]>;

  /** Destroys a gallery's key and pads: all that was sealed under it is unreadable from then on, backups included. */
  abstract destroy(galleryId: GalleryId): Promise<void>;
}
