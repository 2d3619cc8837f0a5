import { after } from '#policy/duration';
import type { Policy } from '#policy/policies';
import { BREACH_RISKS, type BreachRisk } from '#policy/breach-rules';
import type { Assessment, Duty, DutyState } from '../incident.js';

export interface DueDuty {
  readonly duty: Duty;
  readonly addressee: string;
  readonly source: string;
  readonly fromRisk: BreachRisk;
  readonly dueAt: Date;
}

/** What the law of a jurisdiction asks for once a breach is known. */
export function dutiesOf({ document }: Policy, knownAt: Date): DueDuty[] {
  const { authority, persons } = document.breach;
  const { name, first, detailed, fromRisk = 'none' } = authority.value;
  const toAuthority = { addressee: name, source: authority.source, fromRisk };
  return [
    { duty: 'authority_first', ...toAuthority, dueAt: after(knownAt, first) },
    { duty: 'authority_detailed', ...toAuthority, dueAt: after(knownAt, detailed) },
    {
      duty: 'persons',
      addressee: 'each affected person',
      source: persons.source,
      fromRisk: persons.value.fromRisk ?? 'none',
      dueAt: after(knownAt, persons.value.within),
    },
  ];
}

/** Until it is known that a duty does not apply, it does: the clock has begun. */
export function isRequired(fromRisk: BreachRisk, assessment: Assessment | undefined): boolean {
  if (assessment === undefined) return true;
  return assessment.breach && BREACH_RISKS.indexOf(assessment.risk) >= BREACH_RISKS.indexOf(fromRisk);
}

export function dutyState(
  duty: { readonly required: boolean; readonly dueAt: Date; readonly metAt: Date | null },
  now: Date,
): DutyState {
  if (duty.metAt !== null) return duty.metAt > duty.dueAt ? 'met_late' : 'met';
  if (!duty.required) return 'not_required';
  return duty.dueAt < now ? 'overdue' : 'due';
}
