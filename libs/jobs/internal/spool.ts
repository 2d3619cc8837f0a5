import type { Config } from '#platform/config';
import { asId, type JobId } from '#platform/ids';
import { CONFIG } from '#platform/platform.module';
import { SealedValues } from '#platform/sealed-values';
import { Inject, Injectable } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import { validate } from 'uuid';
import { InputRefused, JobInputCutOff, JobInputTooLarge, JobStorageFull } from '../jobs.errors.js';
import { sealChunk, SPOOL_CHUNK_BYTES, SpooledInput } from './spooled-input.js';

/** Of an upload: the server cuts off a connection that is silent for a minute. */
const LONGEST_PAUSE_MS = 3_600_000;

/** Uploads do not take the last room of a disk from whatever else is on it. */
const KEPT_FREE_BYTES = 2 ** 30;
const ROOM_CHECKED_EACH_BYTES = 64 * 2 ** 20;

export interface SpooledJob {
  readonly id: JobId;
  readonly spool_key: Buffer | null;
  /** Null: the job has no input. */
  readonly media_type: string | null;
  readonly input_bytes: string;
}

export interface Spooled {
  /** The file's key, wrapped under db_encryption_key. */
  readonly key: Buffer;
  readonly bytes: number;
}

/** Encrypted temporary files, one for each job: the input as it came, never whole in memory. */
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
    values.ownText('job.spool_key', db, contextOf);
  }

  /** Stores the stream on the disk for good before it returns; a stream that fails leaves nothing behind. */
  async receive(jobId: JobId, input: AsyncIterable<Buffer>, most: number): Promise<Spooled> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    await this.requireRoom();
    const key = randomBytes(32);
    const file = await open(this.pathOf(jobId), 'wx', 0o600);
    try {
      const bytes = await this.write(file, key, input, most);
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

  /**
   * Opens a job's input, if it is of a type that has one, for as long as `work` takes; throws InputRefused('input_lost')
   * if it is not there.
   */
  async using<R>(job: SpooledJob, work: (input: SpooledInput | undefined) => Promise<R>): Promise<R> {
    if (job.media_type === null) return work(undefined);
    if (job.spool_key === null) throw new InputRefused('input_lost');
    const key = this.keyring.decrypt(job.spool_key, contextOf(job.id));
    const file = await open(this.pathOf(job.id), 'r').catch((error: unknown) => {
      throw hasCode(error, 'ENOENT') ? new InputRefused('input_lost') : error;
    });
    const input = new SpooledInput(file, key, Number(job.input_bytes));
    try {
      return await work(input);
    } finally {
      await input.close();
    }
  }

  async remove(jobId: JobId): Promise<void> {
    await rm(this.pathOf(jobId), { force: true });
  }

  /** Once its job is over nobody needs an input. */
  async removeIfOver(jobId: JobId): Promise<void> {
    const needed = await this.db.query<unknown[]>(
      'SELECT 1 FROM job WHERE id = $1 AND spool_key IS NOT NULL',
      [jobId],
    );
    if (needed.length === 0) await this.remove(jobId);
  }

  /** Removes what processes that died left behind; answers how many files. */
  async sweep(): Promise<number> {
    const names = await readdir(this.folder).catch(() => []);
    let swept = 0;
    for (const name of names.filter((each) => validate(each))) {
      const jobId = asId<'job'>(name);
      const found = await stat(this.pathOf(jobId)).catch(() => undefined);
      // A file whose job is not stored yet is being uploaded, and then written to.
      if (found === undefined || Date.now() - found.mtimeMs < LONGEST_PAUSE_MS) continue;
      await this.removeIfOver(jobId);
      swept++;
    }
    return swept;
  }

  private async write(
    file: Awaited<ReturnType<typeof open>>,
    key: Buffer,
    input: AsyncIterable<Buffer>,
    most: number,
  ): Promise<number> {
    let bytes = 0;
    let checkAt = ROOM_CHECKED_EACH_BYTES;
    let index = 0;
    let pending: Buffer[] = [];
    let waiting = 0;
    const flush = async (last: boolean): Promise<void> => {
      const all = Buffer.concat(pending);
      for (const part of pending) part.fill(0);
      let at = 0;
      // The last chunk is told apart from the others, and so it is written when the end is known.
      for (; all.length - at > SPOOL_CHUNK_BYTES; at += SPOOL_CHUNK_BYTES) {
        // Not write(), which on a disk that is nearly full may write a part of it and say so.
        await file.appendFile(sealChunk(key, index++, all.subarray(at, at + SPOOL_CHUNK_BYTES), false));
      }
      const rest = Buffer.from(all.subarray(at));
      all.fill(0);
      if (last) await file.appendFile(sealChunk(key, index, rest, true));
      if (last) rest.fill(0);
      pending = last ? [] : [rest];
      waiting = last ? 0 : rest.length;
    };
    for await (const part of input) {
      bytes += part.length;
      if (bytes > most) throw new JobInputTooLarge();
      if (bytes >= checkAt) {
        await this.requireRoom();
        checkAt += ROOM_CHECKED_EACH_BYTES;
      }
      pending.push(part);
      waiting += part.length;
      if (waiting > 8 * SPOOL_CHUNK_BYTES) await flush(false);
    }
    await flush(true);
    return bytes;
  }

  private async requireRoom(): Promise<void> {
    const { bavail, bsize } = await statfs(this.folder);
    if (bavail * bsize < KEPT_FREE_BYTES) throw new JobStorageFull();
  }

  private pathOf(jobId: JobId): string {
    return join(this.folder, jobId);
  }
}

function contextOf(jobId: string): string {
  return `job.spool_key ${jobId}`;
}

/** ECONNRESET: of a request whose connection ended in the middle of the body. */
function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
