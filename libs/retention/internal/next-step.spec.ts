import { after } from '#policy/duration';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type DestructionState, inactivityEnds, nextStep } from './next-step.js';

const DAY = 86_400_000;
const time = fc.date({ min: new Date('2020-01-01'), max: new Date('2040-01-01'), noInvalidDate: true });

const states = fc
  .record({
    rule: fc.constantFrom('afterEnd', 'afterErasureRequest', 'inactivity'),
    since: time,
    dueAt: time,
    destroyedAt: fc.option(time, { freq: 3 }),
    onHold: fc.boolean(),
    consentOpen: fc.boolean(),
    lastSeen: time,
    noticeWaits: fc.boolean(),
  })
  .map((state): DestructionState => ({
    ...state,
    rule: state.rule,
    consentOpen: state.consentOpen && state.rule === 'inactivity',
  }));

test('nothing is destroyed twice, early, on hold, before its notice was sent, or under an open consent', () => {
  fc.assert(
    fc.property(states, time, (state, now) => {
      if (nextStep(state, now) !== 'destroy') return;
      expect(state.destroyedAt).toBeNull();
      expect(now.getTime()).toBeGreaterThanOrEqual(state.dueAt.getTime());
      expect([state.onHold, state.noticeWaits, state.consentOpen]).toEqual([false, false, false]);
    }),
  );
});

test('nobody who came back loses a consent, and nobody loses one early', () => {
  fc.assert(
    fc.property(states, time, (state, now) => {
      if (nextStep(state, now) !== 'end') return;
      expect(state.lastSeen.getTime()).toBeLessThanOrEqual(state.since.getTime());
      expect(now.getTime()).toBeGreaterThanOrEqual(state.dueAt.getTime());
    }),
  );
});

test('what is due, told of and not on hold is destroyed in two steps at the most', () => {
  fc.assert(
    fc.property(states, time, (any, now) => {
      const state = { ...any, destroyedAt: null, onHold: false, noticeWaits: false, lastSeen: any.since };
      if (now < state.dueAt) return;
      const first = nextStep(state, now);
      expect(first === 'end' ? nextStep({ ...state, consentOpen: false }, now) : first).toBe('destroy');
    }),
  );
});

test('whoever is away is told as long before as the policy says, and never later', () => {
  const days = fc.integer({ min: 1, max: 2_000 });
  fc.assert(
    fc.property(
      time,
      days,
      fc.option(fc.integer({ min: 1, max: 90 })),
      days,
      (seen, away, notice, passed) => {
        const rules = {
          inactivity: `P${away}D`,
          noticeBeforeErasure: notice === null ? null : `P${notice}D`,
        };
        const now = new Date(seen.getTime() + passed * DAY);
        const due = inactivityEnds(seen, rules, now);
        if (passed < away - (notice ?? 0)) expect(due).toBeUndefined();
        else {
          expect(due?.getTime()).toBeGreaterThanOrEqual(after(seen, rules.inactivity).getTime());
          expect(due?.getTime()).toBeGreaterThanOrEqual(
            now.getTime() + (notice ?? -passed) * DAY - (notice === null ? 0 : 1),
          );
        }
      },
    ),
  );
});
