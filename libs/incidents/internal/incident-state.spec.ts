import 'reflect-metadata';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BREACH_RISKS } from '#policy/breach-rules';
import { CLOSURES, INCIDENT_STATES } from '../incident.js';
import { advance, type IncidentStatus, OPENED, type Step } from './incident-state.js';

const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('assess' as const),
    breach: fc.boolean(),
    risk: fc.constantFrom(...BREACH_RISKS),
  }),
  fc.record({ kind: fc.constant('contain' as const) }),
  fc.record({ kind: fc.constant('close' as const), as: fc.constantFrom(...CLOSURES) }),
);

/** The incident after each step that was allowed, from its opening on. */
function historyOf(taken: readonly Step[]): { step: Step; before: IncidentStatus; after: IncidentStatus }[] {
  const history: { step: Step; before: IncidentStatus; after: IncidentStatus }[] = [];
  for (const step of taken) {
    const before = history.at(-1)?.after ?? OPENED;
    const after = advance(before, step);
    if (after !== undefined) history.push({ step, before, after });
  }
  return history;
}

const histories = fc.array(steps, { maxLength: 30 }).map(historyOf);

test('an incident never goes back, and what is closed stays closed', () => {
  fc.assert(
    fc.property(histories, (history) => {
      for (const { before, after } of history) {
        const [from, to] = [INCIDENT_STATES.indexOf(before.state), INCIDENT_STATES.indexOf(after.state)];
        expect(to).toBeGreaterThanOrEqual(from);
        expect(before.state).not.toBe('closed');
      }
    }),
  );
});

test('it is contained only after it was assessed, and handled only after it was contained', () => {
  fc.assert(
    fc.property(histories, (history) => {
      for (const { step, before } of history) {
        if (step.kind === 'contain') expect(before.assessment).toBeDefined();
        if (step.kind === 'close' && step.as === 'handled') expect(before.state).toBe('contained');
      }
    }),
  );
});

test('what was last assessed as a breach is never closed as a false alarm', () => {
  fc.assert(
    fc.property(histories, (history) => {
      for (const { step, before } of history) {
        if (step.kind === 'close' && step.as === 'false_alarm') {
          expect(before.assessment?.breach ?? false).toBe(false);
        }
      }
    }),
  );
});

test('the last assessment counts, and no other step changes it', () => {
  fc.assert(
    fc.property(histories, (history) => {
      for (const { step, before, after } of history) {
        if (step.kind === 'assess')
          expect(after.assessment).toEqual({ breach: step.breach, risk: step.risk });
        else expect(after.assessment).toEqual(before.assessment);
      }
    }),
  );
});

function endOf(...taken: Step[]): string | undefined {
  return historyOf(taken).at(-1)?.after.state;
}

test('from everywhere but the end there is a way to the end', () => {
  const assess = { kind: 'assess', breach: true, risk: 'high' } as const;
  expect(endOf({ kind: 'close', as: 'false_alarm' })).toBe('closed');
  expect(endOf(assess, { kind: 'contain' }, { kind: 'close', as: 'handled' })).toBe('closed');
  expect(endOf({ ...assess, breach: false }, { kind: 'close', as: 'false_alarm' })).toBe('closed');
  expect(endOf({ kind: 'contain' })).toBeUndefined();
});
