import { setTimeout as sleep } from 'node:timers/promises';

const MOST_TRIES = 12;
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15_000;

/** The API was not reached, or the connection broke. `reason` is a code of Node's, such as ECONNREFUSED. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';

  constructor(readonly reason: string) {
    super(`The API cannot be reached (${reason}).`);
  }
}

/** The API answered with a problem (RFC 9457) or with an error of RFC 6749. */
export class Refused extends Error {
  override readonly name = 'Refused';

  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    readonly retryAfterSeconds?: number,
  ) {
    super(detail);
  }
}

/**
 * How many milliseconds to wait before the next try, or undefined where another cannot help. Whoever is told to come
 * back later does so as often as it takes; breakdowns are borne for about two minutes.
 */
export function delayAfter(error: unknown, tries: number): number | undefined {
  const backOff = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** tries);
  if (error instanceof Refused && error.status === 429) {
    return (error.retryAfterSeconds ?? backOff / 1_000) * 1_000;
  }
  const passing =
    error instanceof Unreachable ||
    (error instanceof Refused &&
      ([502, 503, 504].includes(error.status) || error.code === 'job_input_cut_off'));
  if (!passing || tries >= MOST_TRIES) return undefined;
  return Math.max(backOff, error instanceof Refused ? (error.retryAfterSeconds ?? 0) * 1_000 : 0);
}

/** Tries again by itself; `notify` is told why, and how long it waits. */
export async function patiently<R>(
  attempt: () => Promise<R>,
  notify: (why: string, seconds: number) => void,
): Promise<R> {
  for (let tries = 0; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      const delay = delayAfter(error, tries);
      if (delay === undefined || !(error instanceof Error)) throw error;
      notify(error.message, Math.ceil(delay / 1_000));
      await sleep(delay);
    }
  }
}
