import type { RetentionPolicy } from '#platform/backup-config';

const DAY_MS = 86_400_000;

/**
 * Of backups taken at these times, newest first, those that are to be kept: the last of each of the newest days, weeks
 * (from Monday) and months, in UTC, that have any. The newest is always kept.
 */
export function keptTimes(
  takenAt: readonly Date[],
  { daily, weekly, monthly }: RetentionPolicy,
): ReadonlySet<Date> {
  const newestFirst = [...takenAt].sort((a, b) => b.getTime() - a.getTime());
  return new Set([
    ...newestFirst.slice(0, 1),
    ...lastOfEach(newestFirst, daily, dayOf),
    ...lastOfEach(newestFirst, weekly, (time) => Math.floor((dayOf(time) + 3) / 7)),
    ...lastOfEach(newestFirst, monthly, (time) => time.getUTCFullYear() * 12 + time.getUTCMonth()),
  ]);
}

/** Since 1 January 1970, a Thursday. */
function dayOf(time: Date): number {
  return Math.floor(time.getTime() / DAY_MS);
}

function lastOfEach(newestFirst: readonly Date[], most: number, periodOf: (time: Date) => number): Date[] {
  const last = new Map<number, Date>();
  for (const time of newestFirst) {
    if (!last.has(periodOf(time))) last.set(periodOf(time), time);
  }
  return [...last.values()].slice(0, most);
}
