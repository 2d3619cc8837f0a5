import type { Config } from '#platform/config';
import { asId, type JobId } from '#platform/ids';
import { CONFIG } from '#platform/platform.module';
import { SealedValues } from '#platform/sealed-values';
import { Inject, Injectable } from '@nestjs/common';
import { randomBytes, randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import { validate } from 'uuid';
import { InputRefused, JobInputCutOff, JobStorageFull } from '../jobs.errors.js';
import { type ItemSource, SealedItems, WholeUpload } from './item-source.js';
import { RecordWriter } from './record-file.js';
import { SpooledInput } from './spooled-input.js';
import { writeUpload } from './upload-writer.js';

/** Of an upload: the server cuts off a connection that is silent for a minute. */
const LONGEST_PAUSE_MS = 3_600_000;

/** Uploads do not take the last room of a disk from whatever else is on it. */
const KEPT_FREE_BYTES = 2 ** 30;

/** Left where items are sealed: less than an upload leaves, so that what was received is sealed. */
const KEPT_FREE_BY_ITEMS = KEPT_FREE_BYTES / 2;

export interface SpooledJob {
  readonly id: JobId;
  readonly spool_key: Buffer | null;
  /** Null: the job has no input. */
  readonly media_type: string | null;
  readonly input_bytes: string;
  /** Null: its items are not sealed by themselves yet. */
  readonly records_file: string | null;
}

/** Items that were sealed, which count once the job's row says so. */
export interface SealedFile {
  readonly name: string;
  /** Wrapped under db_encryption_key. */
  readonly key: Buffer;
}

export interface Spooled {
  /** The file's key, wrapped under db_encryption_key. */
  readonly key: Buffer;
  readonly bytes: number;
}

/** Encrypted temporary files: a job's input as it came, and once that was read its items, each sealed by itself. */
@Injectable()
export class Spool {
  private readonly folder: string;
  private readonly keyring;

  constructor(
    private readonly db: DataSource,
    @Inject(CONFIG) config: Config,
    values: SealedValues,
  ) {
    this.folder = config.spoolFolder;
    this.keyring = config.secrets.dbEncryptionKeys;
    values.ownText('job.spool_key', db, contextOf, itemsContextOf);
  }

  /** Stores the stream on the disk for good before it returns; a stream that fails leaves nothing behind. */
  async receive(jobId: JobId, input: AsyncIterable<Buffer>, most: number): Promise<Spooled> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    await this.requireRoom(KEPT_FREE_BYTES);
    const key = randomBytes(32);
    const file = await open(this.pathOf(jobId), 'wx', 0o600);
    try {
      const bytes = await writeUpload(file, key, input, most, (wanted) =>
        this.requireRoom(KEPT_FREE_BYTES + wanted),
      );
      await file.sync();
      // It came so slowly that it was swept.
      if ((await file.stat()).nlink === 0) throw new JobInputCutOff();
      return { key: this.keyring.encrypt(key, contextOf(jobId)), bytes };
    } catch (error) {
      await rm(this.pathOf(jobId), { force: true });
      if (hasCode(error, 'ECONNRESET')) throw new JobInputCutOff();
      if (hasCode(error, 'ENOSPC')) throw new JobStorageFull();
      throw error;
    } finally {
      key.fill(0);
      await file.close();
    }
  }

  /** Opens a job's upload, if it is of a type that has one, for as long as `work` takes; throws InputRefused('input_lost'). */
  async using<R>(job: SpooledJob, work: (input: SpooledInput | undefined) => Promise<R>): Promise<R> {
    if (job.media_type === null) return work(undefined);
    const input = await this.upload(job);
    try {
      return await work(input);
    } finally {
      await input.close();
    }
  }

  /** The same with where its items are read from. */
  async reading<R>(job: SpooledJob, work: (items: ItemSource | undefined) => Promise<R>): Promise<R> {
    if (job.media_type === null) return work(undefined);
    const items = await this.itemsOf(job);
    try {
      return await work(items);
    } finally {
      await items.close();
    }
  }

  /** Seals items one by one into a file of their own, under a key that the upload never had. */
  async seal(jobId: JobId, work: (records: RecordWriter) => Promise<void>): Promise<SealedFile> {
    const name = randomUUID();
    const key = randomBytes(32);
    const file = await open(this.pathOf(jobId, name), 'wx', 0o600);
    try {
      const records = new RecordWriter(file, key, () => this.requireRoom(KEPT_FREE_BY_ITEMS));
      await work(records);
      await records.flush();
      await file.sync();
      return { name, key: this.keyring.encrypt(key, itemsContextOf(jobId)) };
    } catch (error) {
      await rm(this.pathOf(jobId, name), { force: true });
      throw hasCode(error, 'ENOSPC') ? new JobStorageFull() : error;
    } finally {
      key.fill(0);
      await file.close();
    }
  }

  /** To write zeros over what nobody reads any more; undefined if the file went with its job. */
  openToOverwrite(jobId: JobId, name: string): Promise<FileHandle | undefined> {
    return open(this.pathOf(jobId, name), 'r+').catch((error: unknown) => {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    });
  }

  async remove(jobId: JobId): Promise<void> {
    await rm(this.pathOf(jobId), { force: true });
  }

  /** Once its items are sealed nobody needs an upload, and once its job is over nobody needs either. */
  async removeUnneeded(jobId: JobId): Promise<void> {
    const [job] = await this.db.query<{ records_file: string | null; alive: boolean }[]>(
      'SELECT records_file, spool_key IS NOT NULL AS alive FROM job WHERE id = $1',
      [jobId],
    );
    const items = job?.records_file ?? undefined;
    if (job?.alive !== true || items !== undefined) await this.remove(jobId);
    if (job?.alive !== true && items !== undefined) await rm(this.pathOf(jobId, items), { force: true });
  }

  /** Removes items that were sealed, unless the job's row says that they count. */
  async discard(jobId: JobId, name: string): Promise<void> {
    const needed = await this.db.query<unknown[]>(
      'SELECT 1 FROM job WHERE id = $1 AND records_file = $2 AND spool_key IS NOT NULL',
      [jobId, name],
    );
    if (needed.length === 0) await rm(this.pathOf(jobId, name), { force: true });
  }

  /** Removes what processes that died left behind; answers how many files. */
  async sweep(): Promise<number> {
    const names = await readdir(this.folder).catch(() => []);
    let swept = 0;
    for (const name of names.filter((each) => each.split('.').every((part) => validate(part)))) {
      const found = await stat(join(this.folder, name)).catch(() => undefined);
      // A file whose job is not stored yet is being uploaded, and then written to.
      if (found === undefined || Date.now() - found.mtimeMs < LONGEST_PAUSE_MS) continue;
      const [jobId = '', items] = name.split('.');
      if (items === undefined) await this.removeUnneeded(asId<'job'>(jobId));
      else await this.discard(asId<'job'>(jobId), items);
      swept++;
    }
    return swept;
  }

  private async upload(job: SpooledJob): Promise<SpooledInput> {
    const { file, key } = await this.open(job, contextOf(job.id));
    return new SpooledInput(file, key, Number(job.input_bytes));
  }

  private async itemsOf(job: SpooledJob): Promise<ItemSource> {
    if (job.records_file === null) return new WholeUpload(await this.upload(job));
    const { file, key } = await this.open(job, itemsContextOf(job.id), job.records_file);
    return new SealedItems(this.db, job.id, file, key);
  }

  private async open(
    { id, spool_key: wrapped }: SpooledJob,
    context: string,
    items?: string,
  ): Promise<{ file: FileHandle; key: Buffer }> {
    if (wrapped === null) throw new InputRefused('input_lost');
    const key = this.keyring.decrypt(wrapped, context);
    const file = await open(this.pathOf(id, items), 'r').catch((error: unknown) => {
      throw hasCode(error, 'ENOENT') ? new InputRefused('input_lost') : error;
    });
    return { file, key };
  }

  private async requireRoom(bytes: number): Promise<void> {
    const { bavail, bsize } = await statfs(this.folder);
    if (bavail * bsize < bytes) throw new JobStorageFull();
  }

  /** The name is none that the version before would sweep. */
  private pathOf(jobId: JobId, items?: string): string {
    return join(this.folder, items === undefined ? jobId : `${jobId}.${items}`);
  }
}

function contextOf(jobId: string): string {
  return `job.spool_key ${jobId}`;
}

/** Another than the upload's: a worker of the version before leaves such a job alone. */
function itemsContextOf(jobId: string): string {
  return `job.spool_key of items ${jobId}`;
}

/** ECONNRESET: of a request whose connection ended in the middle of the body. */
function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
