import type { ConsentFactKind } from './consent-fact.entity.js';

export type ConsentState = 'active' | 'expired' | 'withdrawn' | 'refused';

export interface ConsentTimes {
  readonly expiresAt: Date | null;
  readonly endedAt: Date | null;
  /** It was never given; it ended when it was asked for. */
  readonly refused: boolean;
}

/** The state at `now`. A consent ends when its time is up, whether or not anybody has recorded it yet. */
export function consentState(times: ConsentTimes, now: Date): ConsentState {
  if (times.refused) return 'refused';
  const expired = times.expiresAt !== null && times.expiresAt <= now;
  if (times.endedAt === null) return expired ? 'expired' : 'active';
  return times.expiresAt !== null && times.expiresAt <= times.endedAt ? 'expired' : 'withdrawn';
}

/** Whether a fact can be added at `now`; `undefined` before the first. What has ended stays as it is. */
export function mayFollow(kind: ConsentFactKind, times: ConsentTimes | undefined, now: Date): boolean {
  if (times === undefined) return kind === 'granted' || kind === 'refused';
  if (times.endedAt !== null) return false;
  const state = consentState(times, now);
  if (kind === 'expired') return state === 'expired';
  return state === 'active' && (kind === 'renewed' || kind === 'withdrawn');
}

/** The fact that ends an open consent at `now` when somebody withdraws it: too late, it had expired. */
export function endingFact(times: ConsentTimes, now: Date): 'withdrawn' | 'expired' | undefined {
  return (['withdrawn', 'expired'] as const).find((kind) => mayFollow(kind, times, now));
}
