import type { ConsentFactKind } from './consent-fact.entity.js';

export type ConsentState = 'active' | 'expired' | 'withdrawn';

export interface ConsentTimes {
  readonly expiresAt: Date | null;
  readonly endedAt: Date | null;
}

/** The state at `now`. A consent ends when its time is up, whether or not anybody has recorded it yet. */
export function consentState(times: ConsentTimes, now: Date): ConsentState {
  const expired = times.expiresAt !== null && times.expiresAt <= now;
  if (times.endedAt === null) return expired ? 'expired' : 'active';
  return times.expiresAt !== null && times.expiresAt <= times.endedAt ? 'expired' : 'withdrawn';
}

/** The fact that ends an open consent at `now`, if its time is up. */
export function dueFact(times: ConsentTimes, now: Date): ConsentFactKind | undefined {
  return times.endedAt === null && consentState(times, now) === 'expired' ? 'expired' : undefined;
}
