import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { keptTimes } from './retention.js';

const HOUR_MS = 3_600_000;
const NOON = Date.UTC(2026, 10, 25, 12);

function kept(hoursAgo: readonly number[], policy: Parameters<typeof keptTimes>[1]): number[] {
  const times = hoursAgo.map((hours) => new Date(NOON - hours * HOUR_MS));
  return [...keptTimes(times, policy)].map((time) => (NOON - time.getTime()) / HOUR_MS).sort((a, b) => a - b);
}

const anyPolicy = fc.record({ daily: fc.nat(10), weekly: fc.nat(10), monthly: fc.nat(10) });
const anyTimes = fc.array(fc.nat(24 * 800), { minLength: 1, maxLength: 60 });

describe('backups that are kept', () => {
  test('are the last of each day, for as many days as have one', () => {
    const policy = { daily: 3, weekly: 0, monthly: 0 };
    expect(kept([0, 6, 24, 30, 72, 96], policy)).toEqual([0, 24, 72]);
  });

  test('are the last of each week from Monday, and of each month', () => {
    const days = Array.from({ length: 90 }, (_, n) => n * 24);
    // 25 November 2026 is a Wednesday: Sundays before it are 3, 10 … days ago; 31 October is 25 days ago.
    expect(kept(days, { daily: 0, weekly: 3, monthly: 0 })).toEqual([0, 3 * 24, 10 * 24]);
    expect(kept(days, { daily: 0, weekly: 0, monthly: 3 })).toEqual([0, 25 * 24, 56 * 24]);
  });

  test('always have the newest among them, whatever the policy', () => {
    fc.assert(
      fc.property(anyTimes, anyPolicy, (times, policy) => {
        expect(kept(times, policy)).toContain(Math.min(...times));
      }),
    );
  });

  test('are no more than the policy says, and stay the same when pruned again', () => {
    fc.assert(
      fc.property(anyTimes, anyPolicy, (times, policy) => {
        const once = kept(times, policy);
        expect(once.length).toBeLessThanOrEqual(Math.max(1, policy.daily + policy.weekly + policy.monthly));
        expect(kept(once, policy)).toEqual(once);
      }),
    );
  });
});
