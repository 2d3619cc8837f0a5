import { createHash } from 'node:crypto';
import { BadBackup } from '../cannot-back-up.js';

export interface Measure {
  readonly bytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

/** Lets a stream pass and tells afterwards what it was. */
export class Measured {
  private readonly hash = createHash('sha256');
  private bytes = 0;

  async *pass(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      this.hash.update(chunk);
      this.bytes += chunk.length;
      yield chunk;
    }
  }

  /** Once the stream has ended. */
  result(): Measure {
    return { bytes: this.bytes, sha256: this.hash.digest('hex') };
  }
}

export async function measure(source: AsyncIterable<Uint8Array>): Promise<Measure> {
  const measured = new Measured();
  await drain(measured.pass(source));
  return measured.result();
}

export function requireSame(wanted: Measure, found: Measure): void {
  if (wanted.bytes === found.bytes && wanted.sha256 === found.sha256) return;
  throw new BadBackup('What is stored is not what was written: size or digest differ.');
}

async function drain(source: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of source);
}

/** For what is small. */
export async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export async function* once(content: Uint8Array | string): AsyncGenerator<Uint8Array> {
  yield typeof content === 'string' ? Buffer.from(content) : content;
}
