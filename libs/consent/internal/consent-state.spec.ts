import fc from 'fast-check';
import { expect, test } from 'vitest';
import { consentState, dueFact } from './consent-state.js';

const instants = fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true });
const expiries = fc.option(instants);
const minute = 60_000;

test('an open consent is active until its time is up, and expired from then on', () => {
  fc.assert(
    fc.property(expiries, instants, (expiresAt, now) => {
      const state = consentState({ expiresAt, endedAt: null }, now);
      expect(state).toBe(expiresAt !== null && expiresAt <= now ? 'expired' : 'active');
    }),
  );
});

test('at the very moment that its time is up it is expired', () => {
  const moment = new Date('2026-11-23T10:00:00Z');
  expect(consentState({ expiresAt: moment, endedAt: null }, moment)).toBe('expired');
});

test('one that has ended is never active again, whenever it is looked at', () => {
  fc.assert(
    fc.property(expiries, instants, instants, (expiresAt, endedAt, now) => {
      expect(consentState({ expiresAt, endedAt }, now)).not.toBe('active');
    }),
  );
});

test('withdrawn before its time is up, it stays withdrawn; ended by the clock, it stays expired', () => {
  fc.assert(
    fc.property(instants, instants, (endedAt, now) => {
      const later = new Date(endedAt.getTime() + minute);
      const earlier = new Date(endedAt.getTime() - minute);
      expect(consentState({ expiresAt: later, endedAt }, now)).toBe('withdrawn');
      expect(consentState({ expiresAt: null, endedAt }, now)).toBe('withdrawn');
      expect(consentState({ expiresAt: earlier, endedAt }, now)).toBe('expired');
      expect(consentState({ expiresAt: endedAt, endedAt }, now)).toBe('expired');
    }),
  );
});

test('the clock ends an open consent once', () => {
  fc.assert(
    fc.property(expiries, fc.option(instants), instants, (expiresAt, endedAt, now) => {
      const due = dueFact({ expiresAt, endedAt }, now);
      expect(due === 'expired').toBe(endedAt === null && expiresAt !== null && expiresAt <= now);
      if (due !== undefined) expect(dueFact({ expiresAt, endedAt: now }, now)).toBeUndefined();
    }),
  );
});
