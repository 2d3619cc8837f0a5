import { readdirSync } from 'node:fs';
import { setPriority } from 'node:os';

/**
 * Bulk work takes what processor time the API leaves, where both share a machine. On Linux each thread has a priority of
 * its own (setpriority(2)), which those that it starts inherit: so all that there are now get it.
 */
export function yieldToRequests(nice: number): void {
  try {
    for (const thread of readdirSync('/proc/self/task')) setPriority(Number(thread), nice);
  } catch {
    setPriority(nice);
  }
}
