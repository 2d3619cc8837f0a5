import type { GalleryScores, SegmentScores } from '#custody/key-custodian';
import type { Residues } from '#homomorphic/kernel/row-memory';

/** All scores of a search, with none of them opened. */
export interface Collected {
  readonly c1: Residues;
  readonly segments: readonly SegmentScores[];
}

/** Waits for all parts. */
export async function collected(scores: GalleryScores): Promise<Collected> {
  const segments: SegmentScores[] = [];
  let c1: Residues | undefined;
  for await (const part of scores) {
    c1 ??= part.c1;
    segments.push(...part.segments);
  }
  if (c1 === undefined) throw new Error('a search without scores');
  return { c1, segments };
}
