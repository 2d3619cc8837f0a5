import { createReadStream } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createGunzip } from 'node:zlib';
import { encrypt } from './age-file.js';
import type { BackupStore } from './backup-store.js';
import { CannotBackUp } from './cannot-back-up.js';
import { type Measure, measure, Measured, requireSame } from './internal/streams.js';

/** As Fluentd names the files of a day, `path` and `timekey` of infra/fluentd: facial-api-app.20261124_0.log.gz */
const LOCAL = /^(facial-api-[a-z]+)\.(\d{8})_\d+\.log\.gz$/;
const STORED = /^logs\/facial-api-[a-z]+\/(\d{8})-[0-9a-f]{16}\.log\.gz\.age$/;

/** A file that was written to just now is perhaps not complete. */
const SETTLED_MS = 600_000;
const DAY_MS = 86_400_000;

export interface LogArchive {
  /** Names in the store. */
  readonly shipped: readonly string[];
  /** Names in the folder of those that are cut off or changed; they stay there. */
  readonly unreadable: readonly string[];
  /** Names in the store of those that were kept for long enough. */
  readonly removed: readonly string[];
}

/**
 * Stores the files of days that are over, encrypted, reads each back, and only then removes it from the folder. A file
 * that is still there was not verified, so it is stored again; what it is named after is what is in it.
 */
export async function archiveLogs(
  folder: string,
  store: BackupStore,
  { recipients, keepLogDays }: { readonly recipients: readonly string[]; readonly keepLogDays: number },
  now: Date,
): Promise<LogArchive> {
  const shipped: string[] = [];
  const unreadable: string[] = [];
  for (const file of await settledFiles(folder, now)) {
    const path = join(folder, file);
    const content = await readable(path);
    if (content === undefined) {
      unreadable.push(file);
      continue;
    }
    const [, stream, day] = LOCAL.exec(file) ?? [];
    const name = `logs/${stream}/${day}-${content.sha256.slice(0, 16)}.log.gz.age`;
    const written = new Measured();
    await store.put(name, written.pass(encrypt(createReadStream(path), recipients)));
    requireSame(written.result(), await measure(store.read(name)));
    await rm(path);
    shipped.push(name);
  }
  const removed = (await store.list('logs/')).flatMap(({ name }) => {
    const [, day] = STORED.exec(name) ?? [];
    return day !== undefined && now.getTime() - endOf(day) > keepLogDays * DAY_MS ? [name] : [];
  });
  for (const name of removed) await store.remove(name);
  return { shipped, unreadable, removed };
}

async function settledFiles(folder: string, now: Date): Promise<string[]> {
  const names = await readdir(folder).catch(() => {
    throw new CannotBackUp(
      'The folder of the logs cannot be read: is it there, and may this command read it?',
    );
  });
  const settled: string[] = [];
  for (const name of names.filter((each) => LOCAL.test(each))) {
    const [, , day = ''] = LOCAL.exec(name) ?? [];
    const { mtimeMs } = await stat(join(folder, name));
    if (endOf(day) <= now.getTime() && mtimeMs + SETTLED_MS <= now.getTime()) settled.push(name);
  }
  return settled.sort((a, b) => (a < b ? -1 : 1));
}

/** What is in the file, if it is a gzip that ends as it should. */
async function readable(path: string): Promise<Measure | undefined> {
  try {
    await measure(createReadStream(path).pipe(createGunzip()));
  } catch {
    return undefined;
  }
  return measure(createReadStream(path));
}

/** In UTC, as Fluentd parts the days. */
function endOf(day: string): number {
  return Date.UTC(Number(day.slice(0, 4)), Number(day.slice(4, 6)) - 1, Number(day.slice(6)) + 1);
}
