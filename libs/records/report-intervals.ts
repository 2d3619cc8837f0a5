import { DateTime } from 'luxon';

export const REPORT_INTERVALS = ['day', 'week', 'month'] as const;
export type ReportInterval = (typeof REPORT_INTERVALS)[number];

/** Half open; the first and the last one of a report may be shorter than the others. */
export interface Span {
  readonly from: Date;
  readonly to: Date;
}

/**
 * The days, weeks (ISO 8601: from Monday) or months of UTC that `span` touches, cut to it. None if it is empty, and
 * `most` + 1 at the most.
 */
export function intervalsOf({ from, to }: Span, interval: ReportInterval, most: number): readonly Span[] {
  const intervals: Span[] = [];
  let begun = DateTime.fromJSDate(from, { zone: 'utc' }).startOf(interval);
  while (begun.toJSDate() < to && intervals.length <= most) {
    const next = begun.plus({ [interval]: 1 });
    intervals.push({ from: later(from, begun.toJSDate()), to: earlier(to, next.toJSDate()) });
    begun = next;
  }
  return from < to ? intervals : [];
}

function later(a: Date, b: Date): Date {
  return a > b ? a : b;
}

function earlier(a: Date, b: Date): Date {
  return a < b ? a : b;
}
