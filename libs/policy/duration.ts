import { DateTime, Duration } from 'luxon';

const DAY_MS = 86_400_000;

/** An ISO 8601 duration such as P1M, P90D or PT72H; under 1,000 years, which every date here can be moved by. */
export const DURATION_PATTERN =
  /^P(?=\d|T\d)(\d{1,2}Y)?(\d{1,3}M)?(\d{1,4}W)?(\d{1,5}D)?(T(?=\d)(\d{1,6}H)?(\d{1,6}M)?)?$/;

/**
 * When a time that begins at `from` is over, in UTC. A month later than the 31st of January is the last of February, as
 * Regulation (EEC, Euratom) No 1182/71 Art. 3(2)(c) counts months.
 */
export function after(from: Date, duration: string): Date {
  if (!DURATION_PATTERN.test(duration)) throw new RangeError('not a duration');
  return DateTime.fromJSDate(from, { zone: 'utc' }).plus(Duration.fromISO(duration)).toJSDate();
}

/** So many days the duration has at the most, whenever it begins: P1Y has 366. */
export function mostDays(duration: string): number {
  const starts = Array.from({ length: 48 }, (_, month) =>
    DateTime.utc(2023).plus({ months: month }).toJSDate(),
  );
  return Math.max(
    ...starts.map((from) => Math.ceil((after(from, duration).getTime() - from.getTime()) / DAY_MS)),
  );
}

/** When what has to be done `duration` before `until` is due. */
export function before(until: Date, duration: string): Date {
  if (!DURATION_PATTERN.test(duration)) throw new RangeError('not a duration');
  return DateTime.fromJSDate(until, { zone: 'utc' }).minus(Duration.fromISO(duration)).toJSDate();
}
