import 'reflect-metadata';
import { RIGHTS } from '#policy/right-rules';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type CaseState, CASE_STEPS, type CaseStep, isOpen, nextState, restricts } from './case-state.js';

const kinds = fc.constantFrom(...RIGHTS);
const walks = fc.array(fc.constantFrom(...CASE_STEPS), { maxLength: 30 });

/** The states that a case goes through if everybody tries everything. */
function walk(kind: (typeof RIGHTS)[number], steps: readonly CaseStep[]): CaseState[] {
  const states: CaseState[] = ['open'];
  for (const step of steps) {
    const next = nextState(kind, states.at(-1) ?? 'open', step);
    if (next !== undefined) states.push(next);
  }
  return states;
}

test('a case that was decided is never open again', () => {
  fc.assert(
    fc.property(kinds, walks, (kind, steps) => {
      const states = walk(kind, steps);
      const decided = states.findIndex((state) => !isOpen(state));
      if (decided >= 0) expect(states.slice(decided).some(isOpen)).toBe(false);
    }),
  );
});

test('a case is extended once at the most, and no state comes twice', () => {
  fc.assert(
    fc.property(kinds, walks, (kind, steps) => {
      const states = walk(kind, steps);
      expect(new Set(states).size).toBe(states.length);
    }),
  );
});

test('an open case can always be refused and taken back, and be fulfilled once it is known who asks', () => {
  fc.assert(
    fc.property(kinds, walks, (kind, steps) => {
      const state = walk(kind, steps).at(-1) ?? 'open';
      expect(nextState(kind, state, 'refuse') !== undefined).toBe(isOpen(state));
      const granted = kind === 'restriction' && state === 'fulfilled';
      expect(nextState(kind, state, 'withdraw') !== undefined).toBe(isOpen(state) || granted);
      const fulfilled = nextState(kind, state, 'fulfil') !== undefined;
      expect(fulfilled).toBe(isOpen(state) && state !== 'identity_check');
    }),
  );
});

test('only restriction and objection restrict, from the first moment; an objection until it is decided, a restriction that is granted until it is lifted', () => {
  fc.assert(
    fc.property(kinds, walks, (kind, steps) => {
      const states = walk(kind, steps);
      const restricted = states.map((state) => restricts(kind, state));
      expect(restricted[0]).toBe(kind === 'restriction' || kind === 'objection');
      // Once over it does not come back.
      const ended = restricted.indexOf(false);
      if (ended >= 0) expect(restricted.slice(ended)).not.toContain(true);
      const last = states.at(-1) ?? 'open';
      if (kind === 'restriction')
        expect(restricted.at(-1)).toBe(!['refused', 'withdrawn', 'lifted'].includes(last));
      if (kind === 'objection') expect(restricted.at(-1)).toBe(isOpen(last));
    }),
  );
});

test('nothing but a restriction that was granted is lifted', () => {
  fc.assert(
    fc.property(kinds, walks, (kind, steps) => {
      const state = walk(kind, steps).at(-1) ?? 'open';
      expect(nextState(kind, state, 'lift') !== undefined).toBe(
        kind === 'restriction' && state === 'fulfilled',
      );
    }),
  );
});
