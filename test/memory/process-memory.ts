import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';

const PAGE = 4_096;
const CHUNK = 4_096 * PAGE;

/** Calls `look` with all that a process can read of its own memory: runs of pages, but for those that hold one byte only. */
export async function readMemory(pid: number, look: (run: Buffer) => void): Promise<void> {
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  const buffer = Buffer.alloc(CHUNK);
  try {
    for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
      const [, from = '', to = '', rights = '', name = ''] =
        /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)$/.exec(line) ?? [];
      // The kernel's own pages cannot be read through /proc.
      if (!rights.startsWith('r') || name.startsWith('[v')) continue;
      // What cannot be written is as in the file.
      if (name.startsWith('/') && !rights.includes('w')) continue;
      const end = Number.parseInt(to, 16);
      // A page twice, so that what lies across two pieces is seen whole in the second.
      for (let at = Number.parseInt(from, 16); at < end; at += CHUNK - PAGE) {
        lookAtRuns(buffer.subarray(0, readAt(memory, buffer, Math.min(end - at, CHUNK), at)), look);
        // Connections that others closed meanwhile are noticed, and not used again.
        await setImmediate();
      }
    }
  } finally {
    closeSync(memory);
  }
}

function lookAtRuns(piece: Buffer, look: (run: Buffer) => void): void {
  let start = 0;
  for (let at = 0; at < piece.length; at += PAGE) {
    const page = piece.subarray(at, at + PAGE);
    // Never used; or freed, and filled by the allocator (GLIBC_TUNABLES).
    if (!page.subarray(1).equals(page.subarray(0, -1))) continue;
    if (at > start) look(piece.subarray(start, at));
    start = at + PAGE;
  }
  if (piece.length > start) look(piece.subarray(start));
}

/** Nothing, if the mapping went meanwhile. */
function readAt(file: number, buffer: Buffer, length: number, position: number): number {
  try {
    return readSync(file, buffer, 0, length, position);
  } catch {
    return 0;
  }
}
