import { SegmentUnknown } from '#custody/custody.errors';
import { violates } from '#platform/constraint-violation';
import { DependencyUnavailable } from '#platform/platform.errors';

/** A few rows move at a time, and a search that meets them twice in a row is rare. */
const MOST_TRIES = 5;

/** Rows of a search are not any more where they were read: erased, or under new keys elsewhere. */
export class RowsMoved extends Error {
  override readonly name = 'RowsMoved';
}

/** Runs a comparison, and again with rows read anew if they moved, or their old keys ended, while it ran. */
export function withRowsAsTheyAre<R>(compare: () => Promise<R>): Promise<R> {
  return again(compare, (error) => error instanceof RowsMoved || error instanceof SegmentUnknown);
}

/** Seals and keeps a template, and again if the segment that it was sealed in was retired before it was kept. */
export function inLastingSegment<R>(sealAndKeep: () => Promise<R>): Promise<R> {
  return again(sealAndKeep, (error) => violates(error, 'template_segment_lasts'));
}

async function again<R>(attempt: () => Promise<R>, passes: (error: unknown) => boolean): Promise<R> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (!passes(error)) throw error;
      if (tries === MOST_TRIES) throw DependencyUnavailable.of('matching', error);
    }
  }
}
