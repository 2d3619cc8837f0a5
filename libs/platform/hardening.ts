import { writeFileSync } from 'node:fs';

/** No `__proto__` to pollute objects through, and no debugger for who can send a signal. */
const EVERYWHERE = ['--disable-proto=delete', '--disable-sigusr1'] as const;

/**
 * What Node is started with where an app of ours serves. What else there is does not hold: --frozen-intrinsics breaks
 * reflect-metadata, --no-addons sharp and argon2, and the queue board's templates (ejs) are code that is made from strings.
 */
export const NODE_FLAGS = {
  api: EVERYWHERE,
  worker: [...EVERYWHERE, '--disallow-code-generation-from-strings'],
  custodian: [...EVERYWHERE, '--disallow-code-generation-from-strings'],
} as const;

/**
 * For the environment: glibc overwrites what is freed (mallopt(3), M_PERTURB), which its cache for each thread would pass by.
 * Node copies what it reads from a socket or sends to a thread, and frees the copies as they are.
 */
export const MEMORY = {
  GLIBC_TUNABLES: 'glibc.malloc.perturb=165:glibc.malloc.tcache_count=0',
} as const;

/** Keys and probes are in this memory: a crash writes none of it (core(5)), whatever limit the process was started with. */
export function leaveNoCoreDump(): void {
  try {
    writeFileSync('/proc/self/coredump_filter', '0');
  } catch {
    // Not on Linux, or without /proc: the limit of the container is what holds.
  }
}
