import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MOST_ATTEMPTS, retryDelayMs } from './retry-schedule.js';

test('a message is tried for about a day, soon at first and then ever more seldom', () => {
  const delays = Array.from({ length: MOST_ATTEMPTS - 1 }, (_, i) => retryDelayMs(15_000, i + 1, 0.5));
  expect(delays[0]).toBe(15_000);
  expect(delays).toEqual(delays.toSorted((a, b) => a - b));
  const hours = delays.reduce((sum, delay) => sum + delay, 0) / 3_600_000;
  expect(hours).toBeGreaterThan(20);
  expect(hours).toBeLessThan(26);
});

test('whatever the jitter, no wait is shorter than the one before', () => {
  const chance = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), chance, chance, (attempts, one, other) => {
      expect(retryDelayMs(15_000, attempts + 1, other)).toBeGreaterThan(retryDelayMs(15_000, attempts, one));
    }),
  );
});
