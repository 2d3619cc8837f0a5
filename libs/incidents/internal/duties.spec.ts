import 'reflect-metadata';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Policy } from '#policy/policies';
import { BREACH_RISKS, type BreachRisk } from '#policy/breach-rules';
import { readPolicy } from '#policy/policy-document';
import { dutiesOf, dutyState, isRequired } from './duties.js';

function policy(file: string): Policy {
  const document = readPolicy(JSON.parse(readFileSync(`libs/policy/jurisdictions/${file}.json`, 'utf8')));
  return { jurisdiction: document.code, revision: 1, document, publishedAt: new Date(0) };
}

const KNOWN = new Date('2026-11-24T10:00:00Z');

test('the clocks of India begin at once, and the detailed report is due after 72 hours (rule 7)', () => {
  const duties = dutiesOf(policy('in-dpdp'), KNOWN);
  expect(duties.map(({ duty, dueAt }) => [duty, dueAt.toISOString()])).toEqual([
    ['authority_first', '2026-11-24T10:00:00.000Z'],
    ['authority_detailed', '2026-11-27T10:00:00.000Z'],
    ['persons', '2026-11-24T10:00:00.000Z'],
  ]);
  // Whatever the risk: the Act knows no breach that is too small.
  for (const { fromRisk } of duties) {
    expect(isRequired(fromRisk, { breach: true, risk: 'none' })).toBe(true);
  }
});

function requiredAt(risk: BreachRisk): string[] {
  return dutiesOf(policy('eu-gdpr'), KNOWN)
    .filter(({ fromRisk }) => isRequired(fromRisk, { breach: true, risk }))
    .map(({ duty }) => duty);
}

test('the GDPR asks for the authority where there is a risk, and for the persons where it is high', () => {
  expect(requiredAt('none')).toEqual([]);
  expect(requiredAt('low')).toEqual(['authority_first', 'authority_detailed']);
  expect(requiredAt('high')).toEqual(['authority_first', 'authority_detailed', 'persons']);
});

test('a higher risk never takes a duty away; before the assessment each applies, without a breach none', () => {
  const risks = fc.constantFrom(...BREACH_RISKS);
  fc.assert(
    fc.property(risks, risks, risks, (fromRisk, one, other) => {
      const [low, high] = [one, other].toSorted((a, b) => BREACH_RISKS.indexOf(a) - BREACH_RISKS.indexOf(b));
      if (low === undefined || high === undefined) throw new Error('two risks');
      if (isRequired(fromRisk, { breach: true, risk: low })) {
        expect(isRequired(fromRisk, { breach: true, risk: high })).toBe(true);
      }
      expect(isRequired(fromRisk, undefined)).toBe(true);
      expect(isRequired(fromRisk, { breach: false, risk: one })).toBe(false);
    }),
  );
});

test('a duty that is met is never overdue, and one that is not met is, once its time is up', () => {
  const instants = fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true });
  fc.assert(
    fc.property(fc.boolean(), instants, fc.option(instants), instants, (required, dueAt, metAt, now) => {
      const state = dutyState({ required, dueAt, metAt }, now);
      expect(state === 'overdue').toBe(required && metAt === null && dueAt < now);
      expect(state === 'met_late').toBe(metAt !== null && metAt > dueAt);
    }),
  );
});
