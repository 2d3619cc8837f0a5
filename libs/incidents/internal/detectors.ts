import type { DetectionConfig } from '#platform/detection-config';
import type { Detector } from '../incident.js';

/** What a detector has to say: it suggests, and persons decide. */
export interface Finding {
  readonly detector: Detector;
  /** What it is about, the same each time: `client <id>`, `gallery <id>`, `address <hash>`. */
  readonly cause: string;
  readonly count: number;
  /** Since when. */
  readonly from: Date;
  /** Of the last audit entry that was counted, its place in the log. */
  readonly countedTo?: string;
}

export interface RefusalCount {
  /** `gallery`: by the custodian itself, whoever asked. */
  readonly kind: 'client' | 'address' | 'gallery';
  readonly cause: string;
  readonly refusals: number;
}

export interface MatchHour {
  readonly hour: Date;
  readonly clientId: string;
  readonly galleryId: string;
  readonly matches: number;
}

/** Of a gallery, in a day. */
export interface OpenedDay {
  readonly galleryId: string;
  /** By the custodian's own record. */
  readonly opened: number;
  /** Verifications and searches in the audit log; each opens once. */
  readonly audited: number;
  /** Rows moved to new keys: a search that met them was repeated, up to five times. */
  readonly moved: boolean;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Fewer days say nothing of what is usual. */
export const LEAST_DAYS = 3;

/** Of what was audited: an erasure that meets a search has it repeated. */
const REPEATED_SHARE = 0.05;
const REPEATED_WHILE_ROWS_MOVE = 4;

export function startOfHour(at: Date): Date {
  return new Date(Math.floor(at.getTime() / HOUR_MS) * HOUR_MS);
}

export function repeatedRefusals(
  counts: readonly RefusalCount[],
  from: Date,
  { refusals: least }: Pick<DetectionConfig, 'refusals'>,
): Finding[] {
  return counts
    .filter(({ refusals }) => refusals >= least)
    .map(({ kind, cause, refusals }) => ({
      detector: 'repeated_refusals',
      cause: `${kind} ${cause}`,
      count: refusals,
      from,
    }));
}

/** Clients and galleries with more comparisons in the hour of `now` than they ever ordinarily have. */
export function unusualRates(
  hours: readonly MatchHour[],
  now: Date,
  config: Pick<DetectionConfig, 'matches' | 'matchFactor'>,
): Finding[] {
  const from = startOfHour(now);
  const causes = hours.flatMap((hour) => [
    { ...hour, cause: `client ${hour.clientId}` },
    { ...hour, cause: `gallery ${hour.galleryId}` },
  ]);
  return [...Map.groupBy(causes, ({ cause }) => cause)].flatMap(([cause, own]) => {
    const byHour = Map.groupBy(own, ({ hour }) => hour.getTime());
    const sums = [...byHour].map(([hour, all]) => ({
      age: from.getTime() - hour,
      matches: all.reduce((sum, { matches }) => sum + matches, 0),
    }));
    const count = sums.find(({ age }) => age === 0)?.matches ?? 0;
    // Days of 24 hours up to this one; those before the first comparison are no days of this cause.
    const past = sums.filter(({ age }) => age > 0);
    const byDay = Map.groupBy(past, ({ age }) => Math.ceil(age / DAY_MS));
    const days = Array.from({ length: Math.max(0, ...byDay.keys()) }, (_, day) =>
      Math.max(0, ...(byDay.get(day + 1) ?? []).map(({ matches }) => matches)),
    );
    return isUnusual(count, days, config) ? [{ detector: 'unusual_rate', cause, count, from }] : [];
  });
}

/** Galleries in which more was opened than those who ask through the API, or by a job, account for. */
export function unauditedOpenings(
  days: readonly OpenedDay[],
  from: Date,
  { unaudited: least }: Pick<DetectionConfig, 'unaudited'>,
): Finding[] {
  return days.flatMap(({ galleryId, opened, audited, moved }) => {
    const repeated = audited * (moved ? REPEATED_WHILE_ROWS_MOVE : REPEATED_SHARE);
    const count = opened - audited;
    if (count < least + repeated) return [];
    return [{ detector: 'unaudited_openings', cause: `gallery ${galleryId}`, count, from }];
  });
}

/** `days`: the busiest hour of each. Their median: one day of an attack, or of a feast, does not become what is usual. */
export function isUnusual(
  count: number,
  days: readonly number[],
  { matches: least, matchFactor: factor }: Pick<DetectionConfig, 'matches' | 'matchFactor'>,
): boolean {
  if (days.length < LEAST_DAYS || count < least) return false;
  const sorted = days.toSorted((a, b) => a - b);
  const usual = sorted[Math.floor(sorted.length / 2)] ?? 0;
  return count > factor * usual;
}
