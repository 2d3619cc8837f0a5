import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { BackupStore, StoredObject } from '../backup-store.js';
import { ObjectMissing, TargetFailed } from '../cannot-back-up.js';

/** Of a file that is being written; a process that was killed leaves it behind, and it never counts. */
const PART = '.part';

export class FolderStore implements BackupStore {
  constructor(private readonly folder: string) {}

  async put(name: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    const path = join(this.folder, name);
    await mkdir(dirname(path), { recursive: true, mode: 0o750 }).catch((error: unknown) => {
      throw inWords(error);
    });
    const part = `${path}.${randomUUID()}${PART}`;
    try {
      const file = await open(part, 'wx', 0o640);
      await pipeline(content, file.createWriteStream({ flush: true }));
      await rename(part, path);
    } catch (error) {
      await rm(part, { force: true });
      throw inWords(error);
    }
    // The name too must outlive a power cut.
    const folder = await open(dirname(path));
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  async *read(name: string): AsyncIterable<Uint8Array> {
    try {
      yield* createReadStream(join(this.folder, name), { highWaterMark: 2 ** 18 });
    } catch (error) {
      throw inWords(error);
    }
  }

  async list(prefix: string): Promise<readonly StoredObject[]> {
    const entries = await readdir(this.folder, { recursive: true, withFileTypes: true }).catch(
      (error: unknown) => {
        const worded = inWords(error);
        if (worded instanceof ObjectMissing) return [];
        throw worded;
      },
    );
    const names = entries
      .filter((entry) => entry.isFile() && !entry.name.endsWith(PART))
      .map((entry) => relative(this.folder, join(entry.parentPath, entry.name)))
      .filter((name) => name.startsWith(prefix))
      .sort();
    return Promise.all(
      names.map(async (name) => {
        const { size, mtime } = await stat(join(this.folder, name));
        return { name, bytes: size, storedAt: mtime };
      }),
    );
  }

  remove(name: string): Promise<void> {
    return rm(join(this.folder, name), { force: true });
  }
}

function inWords(error: unknown): unknown {
  if (!(error instanceof Error && 'syscall' in error && 'code' in error)) return error;
  return error.code === 'ENOENT' ? new ObjectMissing() : new TargetFailed(String(error.code));
}
