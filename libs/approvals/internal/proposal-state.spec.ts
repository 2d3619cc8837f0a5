import { DomainError } from '#platform/domain-error';
import { newId } from '#platform/ids';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { proposalState, type ProposalTerms, requireDecidable } from './proposal-state.js';

const OFFICERS = [newId<'officer'>(), newId<'officer'>(), newId<'officer'>()];
const START = new Date('2026-11-24T10:00:00Z');
const HOUR = 3_600_000;
const LIFETIME = 72 * HOUR;

const officers = fc.constantFrom(...OFFICERS);
const steps = fc.array(
  fc.record({
    to: fc.constantFrom('approved' as const, 'rejected' as const, 'withdrawn' as const),
    by: officers,
    after: fc.integer({ min: 0, max: 30 * HOUR }),
  }),
  { maxLength: 20 },
);

test('whatever officers try in whatever order: one decision at the most, by the right person, before it expires', () => {
  fc.assert(
    fc.property(officers, steps, (proposedBy, tried) => {
      let proposal: ProposalTerms = {
        state: 'open',
        proposedBy,
        expiresAt: new Date(START.getTime() + LIFETIME),
      };
      let now = START;
      const decisions: unknown[] = [];
      for (const { to, by, after } of tried) {
        now = new Date(now.getTime() + after);
        const before = proposalState(proposal, now);
        try {
          requireDecidable(proposal, to, by, now);
          proposal = { ...proposal, state: to };
          decisions.push(to);
          expect(before).toBe('open');
          expect(now.getTime() - START.getTime()).toBeLessThan(LIFETIME);
          expect(by === proposedBy).toBe(to === 'withdrawn');
        } catch (error) {
          if (!(error instanceof DomainError)) throw error;
          // Refused only where there was a reason.
          expect(before !== 'open' || (by === proposedBy) !== (to === 'withdrawn')).toBe(true);
        }
      }
      expect(decisions.length).toBeLessThanOrEqual(1);
    }),
  );
});

test('an open proposal is expired from the very moment on; a decided one stays what it is', () => {
  const expiresAt = START;
  const before = new Date(START.getTime() - 1);
  expect(proposalState({ state: 'open', expiresAt }, before)).toBe('open');
  expect(proposalState({ state: 'open', expiresAt }, START)).toBe('expired');
  for (const state of ['approved', 'rejected', 'withdrawn'] as const) {
    expect(proposalState({ state, expiresAt }, START)).toBe(state);
  }
});
