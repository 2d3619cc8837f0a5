import type { PolicyDocument } from '#policy/policy-document';
import type { Guardian } from '../consent-evidence.js';

/** From when a minor is none any more; undefined: is none at `now`. */
export function comesOfAge(adultFrom: string | null, now: Date): Date | undefined {
  const day = adultFrom === null ? undefined : new Date(`${adultFrom}T00:00:00Z`);
  return day !== undefined && day > now ? day : undefined;
}

/** What a guardian who consents for a minor lacks. */
export function guardianLacks(
  { consent }: PolicyDocument,
  guardian: Guardian | undefined,
): 'guardian' | 'verification' | undefined {
  if (guardian === undefined) return 'guardian';
  return consent.guardian.value === 'verifiable' && guardian.verifiedBy === undefined
    ? 'verification'
    : undefined;
}
