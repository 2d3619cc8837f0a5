import type { BackupTarget } from '#platform/backup-config';
import { DeleteObjectCommand, GetObjectCommand, paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { Readable } from 'node:stream';
import type { BackupStore, StoredObject } from '../backup-store.js';

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
    await upload.done();
  }

  async *read(name: string): AsyncIterable<Uint8Array> {
    const { Body } = await this.client.send(
      new GetObjectCommand({ Bucket: this.bucket, Key: this.key(name) }),
    );
    if (!(Body instanceof Readable)) throw new Error('an object without a body');
    yield* Body;
  }

  async list(prefix: string): Promise<readonly StoredObject[]> {
    const found: StoredObject[] = [];
    const query = { Bucket: this.bucket, Prefix: this.key(prefix) };
    for await (const page of paginateListObjectsV2({ client: this.client }, query)) {
      for (const { Key = '', Size = 0, LastModified = new Date(0) } of page.Contents ?? []) {
        found.push({ name: Key.slice(this.prefix.length), bytes: Size, storedAt: LastModified });
      }
    }
    return found.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async remove(name: string): Promise<void> {
    await this.client.send(new DeleteObjectCommand({ Bucket: this.bucket, Key: this.key(name) }));
  }

  private key(name: string): string {
    return this.prefix + name;
  }
}
