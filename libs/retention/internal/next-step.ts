import type { RetentionRule } from '#consent/destruction-ledger';
import { after, before } from '#policy/duration';

/** What is known of something that has a date, read while the person's row is held. */
export interface DestructionState {
  readonly rule: RetentionRule;
  readonly since: Date;
  readonly dueAt: Date;
  readonly destroyedAt: Date | null;
  readonly onHold: boolean;
  /** Of inactivity alone: nothing else has a date before the consent has ended. */
  readonly consentOpen: boolean;
  readonly lastSeen: Date;
  /** Of inactivity: nobody was told of it, or not for as long as the policy asks. */
  readonly noticeWaits: boolean;
}

export type NextStep = 'none' | 'wait' | 'cancel' | 'end' | 'destroy';

/** `end`: the consent, for inactivity; what was made under it is then destroyed, or waits for a hold. */
export function nextStep(state: DestructionState, now: Date): NextStep {
  if (state.destroyedAt !== null) return 'none';
  if (state.consentOpen && state.lastSeen > state.since) return 'cancel';
  if (now < state.dueAt || state.noticeWaits) return 'wait';
  if (state.consentOpen) return 'end';
  return state.onHold ? 'wait' : 'destroy';
}

export interface InactivityRules {
  readonly inactivity: string;
  readonly noticeBeforeErasure: string | null;
}

/** When the data of somebody who was last seen then is destroyed; undefined: it is not yet time to tell anybody. */
export function inactivityEnds(
  lastSeen: Date,
  { inactivity, noticeBeforeErasure }: InactivityRules,
  now: Date,
): Date | undefined {
  const due = after(lastSeen, inactivity);
  if (noticeBeforeErasure === null) return due <= now ? due : undefined;
  if (before(due, noticeBeforeErasure) > now) return undefined;
  // A notice that comes late, because no worker ran, is as long as one that comes in time.
  const noticed = after(now, noticeBeforeErasure);
  return noticed > due ? noticed : due;
}
