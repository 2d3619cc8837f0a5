/** Failed logins that belong together: of an account, of an address, or of the one from the other. */
export interface FailureCount {
  readonly failures: number;
  readonly failedAt: Date | null;
  readonly lockedUntil: Date | null;
}

const FIRST_LOCK_MS = 30_000;
const FORGOTTEN_AFTER_MS = 24 * 3_600_000;

/**
 * How many failures are let pass. An account as a whole is locked late and never for long: whoever knows an officer's address
 * could else keep them out from afar. A minute for each guess is enough beside a second factor.
 */
export const FAILURES_ALLOWED = { accountFromAddress: 5, address: 20, account: 50 } as const;

export const LONGEST_LOCK_MS = {
  accountFromAddress: 3_600_000,
  address: 3_600_000,
  account: 60_000,
} as const;

export type CountedBy = keyof typeof FAILURES_ALLOWED;

export function isLocked({ lockedUntil }: FailureCount, now: Date): boolean {
  return lockedUntil !== null && lockedUntil > now;
}

/** One more failure; from the limit on each locks for twice as long as the one before, up to `longest` ms. */
export function afterFailure(
  count: FailureCount,
  limit: number,
  now: Date,
  longest: number = LONGEST_LOCK_MS.address,
): FailureCount {
  const old = count.failedAt === null || now.getTime() - count.failedAt.getTime() >= FORGOTTEN_AFTER_MS;
  const failures = (old ? 0 : count.failures) + 1;
  const lock = Math.min(FIRST_LOCK_MS * 2 ** (failures - limit), longest);
  return {
    failures,
    failedAt: now,
    lockedUntil: failures < limit ? null : new Date(now.getTime() + lock),
  };
}
