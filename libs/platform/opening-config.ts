import { whole } from './environment-values.js';
import type { Environment } from './secrets.js';

/** How often the custodian opens scores; docs/threat-model.md says what these numbers stop. */
export interface OpeningConfig {
  readonly perClientMinute: number;
  readonly perGalleryMinute: number;
  /** Of openings about one subject. */
  readonly perSubjectMinute: number;
  /** Of these, as many searches that find the subject, and as many pairs that it is in. */
  readonly perSubjectDay: number;
  /** Of two segments of a gallery with one another. */
  readonly comparisonsPerGalleryMinute: number;
  /** So often a day may a gallery be compared with itself as a whole. */
  readonly deduplicationsPerGalleryDay: number;
}

const MOST = 1_000_000_000;

export function parseOpeningConfig(env: Environment, faults: string[]): OpeningConfig {
  return Object.freeze({
    perClientMinute: whole(env, 'OPENINGS_PER_CLIENT_PER_MINUTE', 40_000, 1, MOST, faults),
    perGalleryMinute: whole(env, 'OPENINGS_PER_GALLERY_PER_MINUTE', 20_000, 1, MOST, faults),
    perSubjectMinute: whole(env, 'OPENINGS_PER_SUBJECT_PER_MINUTE', 30, 1, MOST, faults),
    perSubjectDay: whole(env, 'OPENINGS_PER_SUBJECT_PER_DAY', 200, 1, MOST, faults),
    comparisonsPerGalleryMinute: whole(env, 'COMPARISONS_PER_GALLERY_PER_MINUTE', 10_000, 1, MOST, faults),
    deduplicationsPerGalleryDay: whole(env, 'DEDUPLICATIONS_PER_GALLERY_PER_DAY', 5, 1, MOST, faults),
  });
}
