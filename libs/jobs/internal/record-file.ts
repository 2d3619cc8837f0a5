import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { ItemRecord } from './item-plan.js';

const TAG_BYTES = 16;
const WRITTEN_AT_ONCE = 2 ** 20;
/** A key of its own seals one record and no other. */
const NONCE = Buffer.alloc(12);

/** Seals items one after the other, each under a key of its own: the job's and a secret that is the item's. */
export class RecordWriter {
  private at = 0;
  private waiting: Buffer[] = [];
  private waitingBytes = 0;

  constructor(
    private readonly file: FileHandle,
    private readonly jobKey: Buffer,
    private readonly requireRoom: () => Promise<void>,
  ) {}

  get bytes(): number {
    return this.at;
  }

  async add(plain: Uint8Array): Promise<ItemRecord> {
    const secret = randomBytes(32);
    const key = keyOf(this.jobKey, secret);
    const cipher = createCipheriv('aes-256-gcm', key, NONCE);
    const sealed = Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    key.fill(0);
    const record = { at: this.at, length: plain.length, secret };
    this.at += sealed.length;
    this.waiting.push(sealed);
    this.waitingBytes += sealed.length;
    if (this.waitingBytes >= WRITTEN_AT_ONCE) await this.flush();
    return record;
  }

  async flush(): Promise<void> {
    await this.requireRoom();
    await this.file.appendFile(Buffer.concat(this.waiting));
    this.waiting = [];
    this.waitingBytes = 0;
  }
}

/** What a record says, or undefined if it is not what was written. */
export async function openRecord(
  file: FileHandle,
  jobKey: Buffer,
  { at, length, secret }: ItemRecord,
): Promise<Buffer<ArrayBuffer> | undefined> {
  const sealed = Buffer.alloc(length + TAG_BYTES);
  const { bytesRead } = await file.read(sealed, 0, sealed.length, at);
  if (bytesRead !== sealed.length) return undefined;
  const key = keyOf(jobKey, secret);
  const decipher = createDecipheriv('aes-256-gcm', key, NONCE, { authTagLength: TAG_BYTES });
  key.fill(0);
  decipher.setAuthTag(sealed.subarray(length));
  const plain = decipher.update(sealed.subarray(0, length));
  try {
    decipher.final();
    return plain;
  } catch {
    plain.fill(0);
    return undefined;
  }
}

/** Writes zeros over a record; what stands around it stays. */
export async function overwriteRecord(
  file: FileHandle,
  { at, length }: Pick<ItemRecord, 'at' | 'length'>,
): Promise<void> {
  await file.write(Buffer.alloc(length + TAG_BYTES), 0, length + TAG_BYTES, at);
}

function keyOf(jobKey: Buffer, secret: Buffer): Buffer {
  return Buffer.from(hkdfSync('sha256', jobKey, secret, 'velum job item', 32));
}
