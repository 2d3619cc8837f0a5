import { whole } from './environment-values.js';
import type { Environment } from './secrets.js';

/** When a detector opens an incident (docs/compliance/incidents.md). */
export interface DetectionConfig {
  readonly everySeconds: number;
  /** So many refusals of one client or address within so many minutes. */
  readonly refusals: number;
  readonly refusalMinutes: number;
  /** So many comparisons in an hour, and so many times as many as in the busiest hour of an ordinary day. */
  readonly matches: number;
  readonly matchFactor: number;
  /** So many days are compared with. */
  readonly matchDays: number;
  /** So many more openings in a day than the audit log accounts for. */
  readonly unaudited: number;
}

export function parseDetectionConfig(env: Environment, faults: string[]): DetectionConfig {
  return Object.freeze({
    everySeconds: whole(env, 'DETECT_SECONDS', 60, 1, 3_600, faults),
    refusals: whole(env, 'DETECT_REFUSALS', 100, 1, 1_000_000, faults),
    refusalMinutes: whole(env, 'DETECT_REFUSAL_MINUTES', 10, 1, 1_440, faults),
    matches: whole(env, 'DETECT_MATCHES', 1_000, 1, 1_000_000_000, faults),
    matchFactor: whole(env, 'DETECT_MATCH_FACTOR', 5, 2, 1_000, faults),
    matchDays: whole(env, 'DETECT_MATCH_DAYS', 14, 3, 90, faults),
    unaudited: whole(env, 'DETECT_UNAUDITED', 500, 1, 1_000_000_000, faults),
  });
}
