import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

const CHUNK = 32 * 2 ** 20;
/** No pattern is longer: what lies across two chunks is seen in the second. */
const OVERLAP = 4_096;

/** Calls `look` with all that a process can read of its own memory, piece by piece, each with the name of its mapping. */
export function readMemory(pid: number, look: (piece: Buffer, mapping: string) => void): number {
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  const buffer = Buffer.alloc(CHUNK + OVERLAP);
  let total = 0;
  try {
    for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
      const [, from, to, rights = '', name = ''] =
        /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)$/.exec(line) ?? [];
      // The kernel's own pages cannot be read through /proc.
      if (from === undefined || to === undefined || !rights.startsWith('r') || name.startsWith('[v'))
        continue;
      const [start, end] = [Number.parseInt(from, 16), Number.parseInt(to, 16)];
      for (let at = start; at < end; at += CHUNK) {
        const first = Math.max(start, at - OVERLAP);
        const length = readAt(memory, buffer, Math.min(end, at + CHUNK) - first, first);
        total += length;
        look(buffer.subarray(0, length), name);
      }
    }
  } finally {
    closeSync(memory);
  }
  return total;
}

/** Nothing, if the mapping went meanwhile. */
function readAt(file: number, buffer: Buffer, length: number, position: number): number {
  try {
    return readSync(file, buffer, 0, length, position);
  } catch {
    return 0;
  }
}
