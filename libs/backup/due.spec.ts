import fc from 'fast-check';
import { expect, test } from 'vitest';
import { dueAfter } from './due.js';

const AT = { hour: 2, minute: 30 };

test.each([
  ['2026-03-01T02:29:59Z', '2026-03-01T02:30:00Z'],
  ['2026-03-01T02:30:00Z', '2026-03-02T02:30:00Z'],
  ['2026-02-28T23:00:00Z', '2026-03-01T02:30:00Z'],
])('after a backup at %s the next is due at %s', (newest, due) => {
  expect(dueAfter(new Date(newest), AT)).toEqual(new Date(due));
});

test('where there is none, one is due at once', () => {
  expect(dueAfter(undefined, AT).getTime()).toBeLessThan(Date.now());
});

test('a backup is never due before the newest, nor more than a day after it', () => {
  const times = fc.record({ hour: fc.integer({ min: 0, max: 23 }), minute: fc.integer({ min: 0, max: 59 }) });
  const newest = fc.date({ min: new Date('2000-01-01'), max: new Date('2100-01-01'), noInvalidDate: true });
  fc.assert(
    fc.property(newest, times, (date, at) => {
      const wait = dueAfter(date, at).getTime() - date.getTime();
      expect(wait).toBeGreaterThan(0);
      expect(wait).toBeLessThanOrEqual(86_400_000);
    }),
  );
});
