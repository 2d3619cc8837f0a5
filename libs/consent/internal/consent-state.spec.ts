import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ConsentFactKind } from './consent-fact.entity.js';
import { type ConsentTimes, consentState, endingFact, mayFollow } from './consent-state.js';

const instants = fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true });
const expiries = fc.option(instants);
const minute = 60_000;
const given = { refused: false };

test('an open consent is active until its time is up, and expired from then on', () => {
  fc.assert(
    fc.property(expiries, instants, (expiresAt, now) => {
      const state = consentState({ ...given, expiresAt, endedAt: null }, now);
      expect(state).toBe(expiresAt !== null && expiresAt <= now ? 'expired' : 'active');
    }),
  );
});

test('at the very moment that its time is up it is expired', () => {
  const moment = new Date('2026-11-23T10:00:00Z');
  expect(consentState({ ...given, expiresAt: moment, endedAt: null }, moment)).toBe('expired');
});

test('withdrawn before its time is up, it stays withdrawn; ended by the clock, it stays expired', () => {
  fc.assert(
    fc.property(instants, instants, (endedAt, now) => {
      const later = new Date(endedAt.getTime() + minute);
      const earlier = new Date(endedAt.getTime() - minute);
      expect(consentState({ ...given, expiresAt: later, endedAt }, now)).toBe('withdrawn');
      expect(consentState({ ...given, expiresAt: null, endedAt }, now)).toBe('withdrawn');
      expect(consentState({ ...given, expiresAt: earlier, endedAt }, now)).toBe('expired');
      expect(consentState({ ...given, expiresAt: endedAt, endedAt }, now)).toBe('expired');
    }),
  );
});

test('one that is open ends in one way, whenever somebody looks', () => {
  fc.assert(
    fc.property(expiries, instants, (expiresAt, now) => {
      const open = { ...given, expiresAt, endedAt: null };
      const ending = endingFact(open, now);
      expect(ending).toBe(expiresAt !== null && expiresAt <= now ? 'expired' : 'withdrawn');
      if (ending !== undefined) expect(consentState({ ...open, endedAt: now }, now)).toBe(ending);
    }),
  );
});

const attempts = fc.array(
  fc.record({
    kind: fc.constantFrom<ConsentFactKind>('granted', 'renewed', 'refused', 'withdrawn', 'expired'),
    passed: fc.integer({ min: 0, max: 10 * minute }),
    lasts: fc.option(fc.integer({ min: 1, max: 10 * minute })),
  }),
  { minLength: 1, maxLength: 30 },
);

test('whatever is tried in whatever order, a consent begins once, ends once, and is never active again', () => {
  fc.assert(
    fc.property(attempts, (tries) => {
      let times: ConsentTimes | undefined;
      let now = Date.parse('2026-11-23T10:00:00Z');
      let dead = false;
      const facts: ConsentFactKind[] = [];
      for (const { kind, passed, lasts } of tries) {
        now += passed;
        const at = new Date(now);
        if (mayFollow(kind, times, at)) {
          facts.push(kind);
          times = changed(times, kind, at, lasts === null ? null : new Date(now + lasts));
        }
        if (times === undefined) continue;
        const active = consentState(times, at) === 'active';
        // What nobody may match is not brought back, neither by a renewal nor by anything else.
        expect(dead && active).toBe(false);
        dead ||= !active;
      }
      const ends = facts.filter((kind) => kind === 'withdrawn' || kind === 'expired' || kind === 'refused');
      expect(ends.length).toBeLessThanOrEqual(1);
      if (ends.length === 1) expect(facts.at(-1)).toBe(ends[0]);
      expect(facts.filter((kind) => kind === 'granted' || kind === 'refused').length).toBe(
        facts.length === 0 ? 0 : 1,
      );
      if (times !== undefined && ends.length === 1) expect(consentState(times, new Date(now))).toBe(ends[0]);
    }),
  );
});

/** What the handlers write. */
function changed(
  times: ConsentTimes | undefined,
  kind: ConsentFactKind,
  at: Date,
  expiresAt: Date | null,
): ConsentTimes {
  if (kind === 'granted' || kind === 'renewed') return { ...given, expiresAt, endedAt: null };
  if (kind === 'refused') return { refused: true, expiresAt: null, endedAt: at };
  return { ...given, expiresAt: times?.expiresAt ?? null, endedAt: at };
}
