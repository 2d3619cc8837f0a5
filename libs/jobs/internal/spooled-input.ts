import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { InputRefused } from '../jobs.errors.js';

export const SPOOL_CHUNK_BYTES = 65_536;
const TAG_BYTES = 16;

/**
 * AES-256-GCM under a key that is used for one file alone, so that a chunk's number can be its nonce. The number and
 * whether it is the last are authenticated: chunks cannot be exchanged, dropped or cut off unseen.
 */
export function sealChunk(key: Uint8Array, index: number, plain: Uint8Array, last: boolean): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, nonceOf(index));
  cipher.setAAD(Buffer.from([last ? 1 : 0]));
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** Bytes that are read from any place. */
export interface ItemInput {
  readonly bytes: number;
  read: (at: number, length: number) => Promise<Buffer<ArrayBuffer>>;
}

/** A stored input, read from any place; close it, which also zeroes its key. */
export class SpooledInput implements ItemInput {
  private readonly chunks: number;
  /** What was read last: items stand one after the other. */
  private held: { readonly index: number; readonly plain: Buffer } | undefined;

  constructor(
    private readonly file: FileHandle,
    private readonly key: Buffer,
    readonly bytes: number,
  ) {
    this.chunks = Math.max(1, Math.ceil(bytes / SPOOL_CHUNK_BYTES));
  }

  /** A copy, which the caller overwrites; throws InputRefused('input_lost') if the file is not what was stored. */
  async read(at: number, length: number): Promise<Buffer<ArrayBuffer>> {
    if (at < 0 || length < 0 || at + length > this.bytes) throw new RangeError('outside the input');
    const read = Buffer.alloc(length);
    for (let done = 0; done < length;) {
      const index = Math.floor((at + done) / SPOOL_CHUNK_BYTES);
      const chunk = await this.chunk(index);
      done += chunk.copy(read, done, at + done - index * SPOOL_CHUNK_BYTES);
    }
    return read;
  }

  /** From `at` to the end, in parts. */
  async *stream(at = 0, length = this.bytes - at): AsyncGenerator<Buffer> {
    const end = at + length;
    for (let from = at; from < end;) {
      const to = Math.min(end, (Math.floor(from / SPOOL_CHUNK_BYTES) + 1) * SPOOL_CHUNK_BYTES);
      yield await this.read(from, to - from);
      from = to;
    }
  }

  async close(): Promise<void> {
    this.key.fill(0);
    this.held?.plain.fill(0);
    await this.file.close();
  }

  private async chunk(index: number): Promise<Buffer> {
    if (this.held?.index === index) return this.held.plain;
    const last = index === this.chunks - 1;
    const length = last ? this.bytes - index * SPOOL_CHUNK_BYTES : SPOOL_CHUNK_BYTES;
    const sealed = Buffer.alloc(length + TAG_BYTES);
    const at = index * (SPOOL_CHUNK_BYTES + TAG_BYTES);
    const { bytesRead } = await this.file.read(sealed, 0, sealed.length, at);
    if (bytesRead !== sealed.length) throw new InputRefused('input_lost');
    const decipher = createDecipheriv('aes-256-gcm', this.key, nonceOf(index), { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from([last ? 1 : 0]));
    decipher.setAuthTag(sealed.subarray(length));
    const plain = decipher.update(sealed.subarray(0, length));
    try {
      decipher.final();
    } catch {
      plain.fill(0);
      throw new InputRefused('input_lost');
    }
    this.held?.plain.fill(0);
    this.held = { index, plain };
    return plain;
  }
}

function nonceOf(index: number): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUIntBE(index, 6, 6);
  return nonce;
}
