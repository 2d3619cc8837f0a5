import type { Assessment, Closure, IncidentState } from '../incident.js';

export type Step =
  | ({ readonly kind: 'assess' } & Assessment)
  | { readonly kind: 'contain' }
  | { readonly kind: 'close'; readonly as: Closure };

export interface IncidentStatus {
  readonly state: IncidentState;
  /** Undefined until it was assessed. */
  readonly assessment: Assessment | undefined;
}

export const OPENED: IncidentStatus = { state: 'open', assessment: undefined };

/** Where a step leads; undefined if it may not be taken. What is closed stays closed. */
export function advance({ state, assessment }: IncidentStatus, step: Step): IncidentStatus | undefined {
  if (state === 'closed') return undefined;
  if (step.kind === 'assess') {
    // Once more as often as something new is known.
    const { breach, risk } = step;
    return { state: state === 'open' ? 'assessed' : state, assessment: { breach, risk } };
  }
  if (step.kind === 'contain') return state === 'assessed' ? { state: 'contained', assessment } : undefined;
  const allowed = step.as === 'handled' ? state === 'contained' : assessment?.breach !== true;
  return allowed ? { state: 'closed', assessment } : undefined;
}
