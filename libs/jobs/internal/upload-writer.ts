import type { FileHandle } from 'node:fs/promises';
import { JobInputTooLarge } from '../jobs.errors.js';
import { sealChunk, SPOOL_CHUNK_BYTES } from './spooled-input.js';

const ROOM_CHECKED_EACH_BYTES = 64 * 2 ** 20;

/** Seals a stream as it comes, in chunks; answers how many bytes it had. */
export async function writeUpload(
  file: FileHandle,
  key: Buffer,
  input: AsyncIterable<Buffer>,
  most: number,
  /** Throws if there is no room for so many bytes more. */
  requireRoom: (bytes: number) => Promise<void>,
): Promise<number> {
  let bytes = 0;
  let checkAt = ROOM_CHECKED_EACH_BYTES;
  let index = 0;
  let pending: Buffer[] = [];
  let waiting = 0;
  const flush = async (last: boolean): Promise<void> => {
    const all = Buffer.concat(pending);
    for (const part of pending) part.fill(0);
    pending = [all];
    let at = 0;
    // The last chunk is told apart from the others, and so it is written when the end is known.
    for (; all.length - at > SPOOL_CHUNK_BYTES; at += SPOOL_CHUNK_BYTES) {
      // Not write(), which on a disk that is nearly full may write a part of it and say so.
      await file.appendFile(sealChunk(key, index++, all.subarray(at, at + SPOOL_CHUNK_BYTES), false));
    }
    const rest = Buffer.from(all.subarray(at));
    all.fill(0);
    pending = [rest];
    waiting = rest.length;
    if (last) await file.appendFile(sealChunk(key, index, rest, true));
  };
  try {
    for await (const part of input) {
      pending.push(part);
      bytes += part.length;
      if (bytes > most) throw new JobInputTooLarge();
      if (bytes >= checkAt) {
        // And as much again, for its items.
        await requireRoom(bytes);
        checkAt += ROOM_CHECKED_EACH_BYTES;
      }
      waiting += part.length;
      if (waiting > 8 * SPOOL_CHUNK_BYTES) await flush(false);
    }
    await flush(true);
    return bytes;
  } finally {
    for (const part of pending) part.fill(0);
  }
}
