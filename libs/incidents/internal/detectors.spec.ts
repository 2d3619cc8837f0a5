import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  isUnusual,
  LEAST_DAYS,
  type MatchHour,
  repeatedRefusals,
  startOfHour,
  unauditedOpenings,
  unusualRates,
} from './detectors.js';

const settings = fc.record({
  matches: fc.integer({ min: 1, max: 10_000 }),
  matchFactor: fc.integer({ min: 2, max: 20 }),
});
const counts = fc.nat({ max: 1_000_000 });
const days = fc.array(counts, { maxLength: 30 });

const NOW = new Date('2026-11-24T10:20:00Z');
const HOUR = 3_600_000;

test('as many refusals as are configured are too many, and one less is not', () => {
  fc.assert(
    fc.property(counts, fc.integer({ min: 1, max: 1_000_000 }), (refusals, least) => {
      const found = repeatedRefusals([{ kind: 'address', cause: 'ab12', refusals }], NOW, {
        refusals: least,
      });
      expect(found.length).toBe(refusals >= least ? 1 : 0);
      if (refusals >= least) expect(found[0]).toMatchObject({ cause: 'address ab12', count: refusals });
    }),
  );
});

test('more comparisons are never less unusual, and what is below the floor never is', () => {
  fc.assert(
    fc.property(counts, counts, days, settings, (one, other, past, config) => {
      const [fewer, more] = [Math.min(one, other), Math.max(one, other)];
      if (isUnusual(fewer, past, config)) expect(isUnusual(more, past, config)).toBe(true);
      if (one < config.matches) expect(isUnusual(one, past, config)).toBe(false);
    }),
  );
});

test('busier days before never make an hour more unusual, in whatever order they were', () => {
  fc.assert(
    fc.property(
      counts,
      fc.array(fc.tuple(counts, counts), { maxLength: 30 }),
      settings,
      (count, past, config) => {
        const calm = past.map(([a, b]) => Math.min(a, b));
        const busy = past.map(([a, b]) => Math.max(a, b));
        if (isUnusual(count, busy, config)) expect(isUnusual(count, calm, config)).toBe(true);
        expect(isUnusual(count, calm.toReversed(), config)).toBe(isUnusual(count, calm, config));
      },
    ),
  );
});

test('one day of an attack does not hide the next, and a client of yesterday is not judged yet', () => {
  const config = { matches: 100, matchFactor: 5 };
  const ordinary = [40, 50, 45, 42, 48, 51, 44];
  expect(isUnusual(1_000, [...ordinary, 90_000], config)).toBe(true);
  expect(isUnusual(200, ordinary, config)).toBe(false);
  expect(isUnusual(1_000, ordinary.slice(0, LEAST_DAYS - 1), config)).toBe(false);
});

/** A client with so many comparisons each morning, and so many in the hour of now. */
function history(now: number, past: number, howMany: number, clientId = 'c'): MatchHour[] {
  const hour = startOfHour(NOW);
  return Array.from({ length: howMany + 1 }, (_, day) => ({
    hour: new Date(hour.getTime() - day * 24 * HOUR),
    clientId,
    galleryId: `g of ${clientId}`,
    matches: day === 0 ? now : past,
  }));
}

test('a client is compared with its own days, and so is each of its galleries', () => {
  const config = { matches: 100, matchFactor: 5 };
  const hours = [...history(1_000, 50, 7, 'busy'), ...history(1_000, 900, 7, 'steady')];
  expect(unusualRates(hours, NOW, config).map(({ cause }) => cause)).toEqual([
    'client busy',
    'gallery g of busy',
  ]);
  fc.assert(
    fc.property(counts, counts, fc.integer({ min: 1, max: 20 }), settings, (now, past, howMany, rule) => {
      const wanted = isUnusual(now, Array<number>(howMany).fill(past), rule);
      const found = unusualRates(history(now, past, howMany), NOW, rule);
      expect(found.length).toBe(wanted ? 2 : 0);
    }),
  );
});

test('days without a comparison count as days, from the first comparison on', () => {
  const config = { matches: 100, matchFactor: 5 };
  const hours = history(1_000, 300, 7).filter(({ matches }, i) => matches === 1_000 || i > 5);
  expect(unusualRates(hours, NOW, config).length).toBe(2);
});

test('openings that the audit log accounts for are never too many, and so many more than these always are', () => {
  const least = fc.integer({ min: 1, max: 10_000 });
  fc.assert(
    fc.property(counts, counts, fc.boolean(), least, (audited, more, moved, unaudited) => {
      const day = { galleryId: 'g', opened: audited + more, audited, moved };
      const found = unauditedOpenings([day], NOW, { unaudited });
      if (more < unaudited) expect(found).toEqual([]);
      // A search is repeated four times at most, and seldom while no rows move.
      if (more >= unaudited + audited * 4) expect(found).toMatchObject([{ cause: 'gallery g', count: more }]);
      if (!moved && more >= unaudited + audited) expect(found).toHaveLength(1);
      if (moved && more < audited * 4) expect(found).toEqual([]);
    }),
  );
});
