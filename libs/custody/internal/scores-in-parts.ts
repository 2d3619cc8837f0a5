import { Q } from '#homomorphic/parameters';
import { OpeningRefused } from '../custody.errors.js';
import {
  type Candidate,
  type GalleryScores,
  MOST_SEGMENTS,
  type OpeningRequest,
  type Place,
  type ScoresPart,
  type SegmentScores,
} from '../key-custodian.js';

/** What was opened of one part. */
export interface Opened {
  readonly best: readonly Candidate[];
  readonly forged: number;
}

/** Tells a fault of whoever makes the scores from a refusal. */
export class ReadScores implements GalleryScores {
  fault: unknown;

  constructor(private readonly scores: GalleryScores) {}

  async *[Symbol.asyncIterator](): AsyncGenerator<ScoresPart> {
    try {
      yield* this.scores;
    } catch (error) {
      this.fault = error;
      throw error;
    }
  }
}

/** The best of all parts, and no more of them than are of use. */
export class Found {
  best: readonly Candidate[] = [];
  forged = 0;

  constructor(private readonly most: number) {}

  add({ best, forged }: Opened): void {
    this.best = [...this.best, ...best].sort((a, b) => b.score - a.score).slice(0, this.most);
    this.forged += forged;
  }
}

/** How many segments and slots. */
export interface Came {
  segments: number;
  slots: number;
}

/** What is wrong with the first part. */
export function lieOfFirst({ c1 }: ScoresPart): string | undefined {
  if (c1 === undefined) return 'a first part without c1';
  return c1.every((word) => word < Q) ? undefined : 'a word that is no residue';
}

/** What is wrong with another, after which so much has come. */
export function lieOfOther({ c1, segments }: ScoresPart, came: Came): string | undefined {
  if (c1 !== undefined) return 'a second c1';
  if (segments.length === 0) return 'a part with nothing in it';
  return came.segments > MOST_SEGMENTS ? 'more segments than a gallery has' : undefined;
}

/** Of a person, no scores but those that were named, and counted, and no more than these: `came` so far. */
export function requireNamed(
  { places }: OpeningRequest,
  came: number,
  segments: readonly SegmentScores[],
): void {
  if (came > places.length) throw new OpeningRefused('more templates than were named');
  const named = new Set(places.map(textOf));
  const all = segments.every(({ segmentId, slots }) =>
    slots.every((slot) => named.has(textOf({ segmentId, slot }))),
  );
  if (!all) throw new OpeningRefused('a template that was not named');
}

export function textOf({ segmentId, slot }: Place): string {
  return `${segmentId} ${slot}`;
}
