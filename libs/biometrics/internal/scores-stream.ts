import type { GalleryScores, ScoresPart, SegmentScores } from '#custody/key-custodian';
import type { Residues } from '#homomorphic/kernel/row-memory';
import { ThreadFailed } from '#platform/thread';

/** A match thread is gone, or what it held: the scores can be made anew. Threads of custody fail by another name. */
export class MatchingFailed extends Error {
  override readonly name = 'MatchingFailed';
}

export function asMatchingFailed(error: unknown): unknown {
  return error instanceof ThreadFailed ? new MatchingFailed(error.message, { cause: error }) : error;
}

/**
 * Segments of a part. Each part costs custody a message and calls of its threads, so they are long at first; what comes at the end
 * is waited for, so the last ones are short.
 */
const [LEAST_OF_PART, MOST_OF_PART] = [8, 64];

/** Scores of one search on their way from those who match to the one who has them opened: what has come by then is one part. */
export class ScoresStream implements GalleryScores {
  /** When all have come; rejects if they will not. */
  readonly matched: Promise<void>;
  /** When the first of them are being made, or will not be. Whoever opens them would wait for that in custody's line. */
  readonly begun: Promise<void>;
  private readonly beginning = Promise.withResolvers<void>();
  private readonly settled = Promise.withResolvers<void>();
  private c1: Residues | undefined;
  private segments: SegmentScores[] = [];
  private more = Promise.withResolvers<void>();
  private over = false;

  /** `expected`: of how many segments there will be scores, at the most. */
  constructor(private expected: number) {
    this.matched = this.settled.promise;
    this.matched.catch(() => undefined);
    this.begun = this.beginning.promise;
  }

  begin(): void {
    this.beginning.resolve();
  }

  masksMatched(c1: Residues): void {
    this.c1 = c1;
    this.more.resolve();
  }

  segmentMatched(segment: SegmentScores): void {
    this.segments.push(segment);
    this.more.resolve();
  }

  end(): void {
    this.over = true;
    this.settled.resolve();
    this.more.resolve();
  }

  fail(reason: unknown): void {
    this.over = true;
    this.settled.reject(asMatchingFailed(reason));
    this.more.resolve();
  }

  private get partLength(): number {
    return Math.min(Math.max(this.expected / 4, LEAST_OF_PART), MOST_OF_PART);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ScoresPart> {
    for (let isFirst = true; ;) {
      if (this.over) await this.matched;
      const enough = this.over
        ? isFirst || this.segments.length > 0
        : this.segments.length >= this.partLength;
      if (this.c1 !== undefined && enough) {
        const part = { c1: isFirst ? this.c1 : undefined, segments: this.segments };
        this.expected -= part.segments.length;
        [this.segments, isFirst] = [[], false];
        yield part;
      } else if (this.over) {
        return;
      } else {
        await this.more.promise;
        this.more = Promise.withResolvers();
      }
    }
  }
}
