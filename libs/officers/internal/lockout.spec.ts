import fc from 'fast-check';
import { expect, test } from 'vitest';
import { afterFailure, type FailureCount, isLocked } from './lockout.js';

const NONE: FailureCount = { failures: 0, failedAt: null, lockedUntil: null };
const START = new Date('2026-11-24T10:00:00Z');
const HOUR = 3_600_000;

/** Tries as soon as it is let, with pauses before each; answers the count and how often it was let. */
function attack(limit: number, pauses: readonly number[]): { count: FailureCount; tries: Date[] } {
  let [count, now] = [NONE, START];
  const tries: Date[] = [];
  for (const pause of pauses) {
    now = new Date(now.getTime() + pause);
    if (isLocked(count, now)) continue;
    tries.push(now);
    count = afterFailure(count, limit, now);
  }
  return { count, tries };
}

const limits = fc.integer({ min: 1, max: 50 });
const pauses = fc.array(fc.integer({ min: 0, max: 2 * HOUR }), { maxLength: 200 });

test('fewer failures than the limit lock nobody, and the one that reaches it locks for 30 seconds', () => {
  fc.assert(
    fc.property(limits, (limit) => {
      const before = attack(
        limit,
        Array.from({ length: limit - 1 }, () => 0),
      );
      expect(isLocked(before.count, START)).toBe(false);
      const { lockedUntil } = afterFailure(before.count, limit, START);
      expect(lockedUntil).toEqual(new Date(START.getTime() + 30_000));
    }),
  );
});

test('however the attempts are spread, past the limit each lock is at least as long as the one before, and at most an hour', () => {
  fc.assert(
    fc.property(limits, pauses, (limit, spread) => {
      let [count, now, longest] = [NONE, START, 0];
      for (const pause of spread) {
        now = new Date(now.getTime() + pause);
        if (isLocked(count, now)) continue;
        const next = afterFailure(count, limit, now);
        const lock = next.lockedUntil === null ? 0 : next.lockedUntil.getTime() - now.getTime();
        expect(lock).toBeLessThanOrEqual(HOUR);
        expect(lock).toBeGreaterThanOrEqual(next.failures > 1 ? longest : 0);
        [count, longest] = [next, lock];
      }
    }),
  );
});

test('in a day nobody is let try more often than the limit and 30 times', () => {
  fc.assert(
    fc.property(limits, pauses, (limit, spread) => {
      const { tries } = attack(limit, [...Array.from({ length: 500 }, () => 0), ...spread]);
      const day = tries.filter((at) => at.getTime() - START.getTime() < 24 * HOUR);
      expect(day.length).toBeLessThanOrEqual(limit + 30);
    }),
  );
});

test('a day without a failure and all is forgotten', () => {
  fc.assert(
    fc.property(limits, pauses, (limit, spread) => {
      const { count } = attack(limit, [0, ...spread]);
      const later = new Date((count.failedAt ?? START).getTime() + 24 * HOUR);
      expect(isLocked(count, later)).toBe(false);
      expect(afterFailure(count, limit, later).failures).toBe(1);
    }),
  );
});
