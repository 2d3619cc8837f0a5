import type { Residues } from '#homomorphic/kernel/row-memory';
import type { MaskSeed } from '#homomorphic/mask-seed';
import type { PairScore, QuantisedProbe, QuantisedTemplate, Score } from '#homomorphic/quantised-vector';
import type { SealedRow } from '#homomorphic/sealed-row';
import type { ClientId, GalleryId, KeyRotationId, SegmentId } from '#platform/ids';

export interface SealedTemplate {
  readonly segmentId: SegmentId;
  readonly slot: number;
  readonly row: SealedRow;
}

export interface Place {
  readonly segmentId: SegmentId;
  readonly slot: number;
}

export interface SegmentScores {
  readonly segmentId: SegmentId;
  /** The slots to open. Each MUST hold a row: one whose pad is unused is refused, one that is retired left out. */
  readonly slots: Uint16Array<ArrayBuffer>;
  readonly c0: Residues;
}

/** Some of what a probe scored against a gallery, encrypted. */
export interface ScoresPart {
  /** From the masks alone; with each segment's c0 it is a ciphertext under that segment's key. In the first part and no other. */
  readonly c1: Residues | undefined;
  readonly segments: readonly SegmentScores[];
}

/** A part as soon as it is matched, so that it is opened while the next ones are. To be read once; at least one part. */
export type GalleryScores = AsyncIterable<ScoresPart>;

export interface OpeningRequest {
  /** One person's templates or everybody's: it is counted otherwise. */
  readonly about: 'subject' | 'gallery';
  /** The person's, at most TEMPLATES_OF_A_SUBJECT: whatever else is among the scores is refused. Of everybody, none. */
  readonly places: readonly Place[];
  /** On whose behalf. */
  readonly clientId: ClientId;
  readonly galleryId: GalleryId;
  /** What c1 and each segment's c0 are made from. */
  readonly probe: QuantisedProbe;
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

export interface HeldSecrets {
  readonly keys: number;
  readonly padBytes: number;
}

export const TEMPLATES_OF_A_SUBJECT = 10;

/** Of 30 million rows. */
export const MOST_SEGMENTS = 2 ** 14;

/** Enough for 20 subjects with 10 templates each. */
export const MOST_CANDIDATES = 200;

/** Sealed rows of one segment. */
export interface PlacedRows {
  readonly segmentId: SegmentId;
  /** Where the rows are, each slot once. */
  readonly slots: Uint16Array<ArrayBuffer>;
  /** The rows one after the other, in the order of `slots`. */
  readonly rows: Uint8Array<ArrayBuffer>;
}

export interface SegmentRows extends PlacedRows {
  /** Whose they are: rows with the same label are not compared. */
  readonly labels: Uint32Array<ArrayBuffer>;
}

export interface ComparisonRequest {
  readonly galleryId: GalleryId;
  readonly left: SegmentRows;
  /** Undefined: the rows on the left are compared with one another. */
  readonly right: SegmentRows | undefined;
  /** Pairs below it never leave the custodian. */
  readonly threshold: PairScore;
}

/** Two rows, by their places in the request, that are at or above the threshold. */
export interface AlikePair {
  readonly left: number;
  readonly right: number;
  /** The threshold, or half the way from it to identity: which of the two was reached, and nothing finer. */
  readonly score: PairScore;
}

/** Of one comparison; more are refused as a whole. */
export const MOST_PAIRS = 10_000;

/** What a deduplication of the whole gallery finds at the most. */
export const MOST_PAIRS_OF_A_GALLERY = 100_000;

/**
 * The port to secret keys and pads (DESIGN.md section 4). No method gives out a key, a pad or a score below the
 * threshold. All throw KeySetNotFound once a gallery's keys are destroyed.
 */
export abstract class KeyCustodian {
  /** Resolves while keys can be opened and scores decrypted; rejects otherwise. */
  abstract ready(): Promise<void>;

  /** What is held in the clear to work with, for whoever watches the process. */
  abstract held(): Promise<HeldSecrets>;

  /** Makes a gallery's key set. `dimension` is that of its embeddings. Doing it twice keeps the first. */
  abstract createKeySet(galleryId: GalleryId, dimension: number): Promise<void>;

  /** Opens a segment in the background, so that the first enrolment does not wait for it. */
  abstract preparePads(galleryId: GalleryId): void;

  /** Takes an unused pad for each template, for good, and takes the templates over; answers them sealed, in their order. */
  abstract seal(
    galleryId: GalleryId,
    templates: readonly QuantisedTemplate[],
  ): Promise<readonly SealedTemplate[]>;

  /** What a matcher makes the gallery's public masks from. */
  abstract maskSeed(galleryId: GalleryId): Promise<MaskSeed>;

  /**
   * Takes the scores over, decrypts them and answers those at or above the threshold, best first, but for templates
   * that were answered too often that day; every opening is recorded before. The request is judged while the scores are still
   * made. Throws OpeningsLimited, SubjectOpeningsLimited, OpeningRefused for what no honest matcher asks, and what `scores`
   * throws. A matcher MUST NOT ask the custodian for anything else while it makes them.
   */
  abstract openScores(request: OpeningRequest, scores: GalleryScores): Promise<readonly Candidate[]>;

  /** Whether the keys of these segments unwrap; throws OpeningRefused if one does not, and opens nothing. */
  abstract checkKeys(galleryId: GalleryId, segmentIds: readonly SegmentId[]): Promise<void>;
  /**
   * Never opens these slots again, on any replica: their rows are gone, or another took their place. Answers once that is
   * certain; doing it twice changes nothing. Slots that were not given yet, or whose keys are destroyed, are left out.
   */
  abstract retire(places: readonly Place[]): Promise<void>;

  /** How many of these slots could still be given to a template: none of those that ever held one. */
  abstract countUsable(places: readonly Place[]): Promise<number>;

  /**
   * Compares the templates of two segments, or of one, inside of custody (docs/adr/0014-deduplication-inside-custody.md)
   * and answers the pairs at or above the threshold, but for templates that were in too many that day. Throws TooManyPairs
   * if there are more than MOST_PAIRS, OpeningsLimited, and OpeningRefused for a threshold that no gallery has.
   */
  abstract comparePairs(request: ComparisonRequest): Promise<readonly AlikePair[]>;

  /**
   * From now on templates are sealed under keys made anew; answers the segments whose rows have to move to them. Doing it
   * twice for one rotation changes nothing. Throws CustodyNotAdopted while the version before may come back.
   */
  abstract beginRotation(galleryId: GalleryId, rotationId: KeyRotationId): Promise<readonly SegmentId[]>;

  /**
   * The same templates under pads of the new keys, in the order of the rows, which MUST be found genuine before. Rows of a
   * segment that is not being replaced are refused.
   */
  abstract reseal(galleryId: GalleryId, rows: PlacedRows): Promise<readonly SealedTemplate[]>;

  /** Destroys the keys of segments from which the rows moved, for good; those of the newest generation stay. */
  abstract destroySegments(galleryId: GalleryId, segmentIds: readonly SegmentId[]): Promise<void>;

  /**
   * Destroys a gallery's keys: all that was sealed under it is unreadable from then on; in backups of before, from the next one on
   * (docs/adr/0039-what-is-destroyed-stays-destroyed.md). Doing it twice changes nothing.
   */
  abstract destroy(galleryId: GalleryId): Promise<void>;
}
