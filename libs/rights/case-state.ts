import type { Right } from '#policy/right-rules';

/** `lifted`: a restriction that was granted and has come to its end. */
export const CASE_STATES = [
  'open',
  'identity_check',
  'in_progress',
  'extended',
  'fulfilled',
  'refused',
  'withdrawn',
  'lifted',
] as const;
export type CaseState = (typeof CASE_STATES)[number];

export const CASE_STEPS = [
  'check_identity',
  'take_up',
  'extend',
  'fulfil',
  'refuse',
  'withdraw',
  'lift',
] as const;
export type CaseStep = (typeof CASE_STEPS)[number];

/** In which a case waits for its answer. */
export const OPEN_STATES: readonly CaseState[] = ['open', 'identity_check', 'in_progress', 'extended'];

const STEPS: Readonly<Record<CaseStep, { from: readonly CaseState[]; to: CaseState }>> = {
  check_identity: { from: ['open'], to: 'identity_check' },
  take_up: { from: ['open', 'identity_check'], to: 'in_progress' },
  // GDPR Art. 12(3): once, which is why an extended case cannot be extended.
  extend: { from: ['open', 'in_progress'], to: 'extended' },
  // Nobody is given anything while it is open who asks (GDPR Art. 12(6)).
  fulfil: { from: ['open', 'in_progress', 'extended'], to: 'fulfilled' },
  refuse: { from: OPEN_STATES, to: 'refused' },
  withdraw: { from: OPEN_STATES, to: 'withdrawn' },
  lift: { from: ['fulfilled'], to: 'lifted' },
};

/** Where a step leads; undefined where it cannot be taken. */
export function nextState(kind: Right, state: CaseState, step: CaseStep): CaseState | undefined {
  const { from, to } = STEPS[step];
  const granted = kind === 'restriction' && state === 'fulfilled';
  if (step === 'lift') return granted ? to : undefined;
  // Who asked for a restriction can do without it, too.
  if (step === 'withdraw' && granted) return 'lifted';
  return from.includes(state) ? to : undefined;
}

export function isOpen(state: CaseState): boolean {
  return OPEN_STATES.includes(state);
}

/**
 * Whether a case keeps its subject from being processed: at once when it is asked for, since GDPR Art. 18(1)(a) and (d)
 * are about the time until it is decided; a restriction that was granted lasts until it is lifted.
 */
export function restricts(kind: Right, state: CaseState): boolean {
  if (kind !== 'restriction' && kind !== 'objection') return false;
  return isOpen(state) || (kind === 'restriction' && state === 'fulfilled');
}
