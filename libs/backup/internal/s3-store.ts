import type { BackupTarget } from '#platform/backup-config';
import { DeleteObjectCommand, GetObjectCommand, paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { Readable } from 'node:stream';
import type { BackupStore, StoredObject } from '../backup-store.js';
import { ObjectMissing, TargetFailed } from '../cannot-back-up.js';

/** S3 takes at most 10,000 parts: up to 156 GiB. */
const PART_BYTES = 16 * 2 ** 20;

export class S3Store implements BackupStore {
  private readonly client: S3Client;
  private readonly bucket: string;
  private readonly prefix: string;

  constructor({ bucket, prefix, endpoint, region, credentials }: Extract<BackupTarget, { kind: 's3' }>) {
    this.bucket = bucket;
    this.prefix = prefix;
    this.client = new S3Client({
      region,
      ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
      ...(credentials === undefined ? {} : { credentials }),
      // A server that no longer answers is given up, and the command says so.
      requestHandler: { connectionTimeout: 10_000, socketTimeout: 60_000 },
      // Servers other than Amazon's do not all know the checksums that the SDK adds by itself; what was stored is read
      // back and compared in any case.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    });
  }

  /** In parts, which become an object when all are there; a failure aborts the upload. */
  async put(name: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    const upload = new Upload({
      client: this.client,
      params: {
        Bucket: this.bucket,
        Key: this.key(name),
        Body: Readable.from(content, { objectMode: false }),
      },
      partSize: PART_BYTES,
      queueSize: 2,
      leavePartsOnError: false,
    });
    await worded(upload.done());
  }

  async *read(name: string): AsyncIterable<Uint8Array> {
    const asked = this.client.send(new GetObjectCommand({ Bucket: this.bucket, Key: this.key(name) }));
    const { Body } = await worded(asked);
    if (!(Body instanceof Readable)) throw new TargetFailed('an object without a body');
    try {
      yield* Body;
    } catch (error) {
      // A connection that broke says nothing against what is stored.
      throw new TargetFailed(
        error instanceof Error && 'code' in error ? String(error.code) : 'connection lost',
      );
    }
  }

  list(prefix: string): Promise<readonly StoredObject[]> {
    return worded(this.listed(prefix));
  }

  async remove(name: string): Promise<void> {
    await worded(this.client.send(new DeleteObjectCommand({ Bucket: this.bucket, Key: this.key(name) })));
  }

  private async listed(prefix: string): Promise<readonly StoredObject[]> {
    const found: StoredObject[] = [];
    const query = { Bucket: this.bucket, Prefix: this.key(prefix) };
    for await (const page of paginateListObjectsV2({ client: this.client }, query)) {
      for (const { Key = '', Size = 0, LastModified = new Date(0) } of page.Contents ?? []) {
        found.push({ name: Key.slice(this.prefix.length), bytes: Size, storedAt: LastModified });
      }
    }
    return found.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  private key(name: string): string {
    return this.prefix + name;
  }
}

async function worded<R>(asked: Promise<R>): Promise<R> {
  try {
    return await asked;
  } catch (error) {
    throw inWords(error);
  }
}

/** By name or code alone: messages may quote what was signed. What fed an upload keeps its own words. */
function inWords(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if (error.name === 'NoSuchKey') return new ObjectMissing();
  if ('$metadata' in error) return new TargetFailed(error.name);
  return 'code' in error && 'syscall' in error ? new TargetFailed(String(error.code)) : error;
}
