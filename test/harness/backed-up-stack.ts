import { decrypt } from '#backup/age-file';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DebianPostgres, startDebianPostgres } from './debian-postgres.js';
import { velum } from './operator.js';
import { Stack } from './stack.js';

export interface BackedUpStack {
  /** With PostgreSQL's own programs. */
  readonly server: DebianPostgres;
  readonly stack: Stack;
}

export interface BackupPlaces {
  readonly target: string;
  /** Where the private key is put. */
  readonly identity: string;
}

export function backupPlaces(scratch: string): BackupPlaces {
  return { target: join(scratch, 'target'), identity: join(scratch, 'identity.txt') };
}

/** A Velum that is backed up into a folder, and ships what is erased within a second. */
export async function startBackedUpStack(
  scratch: string,
  { target, identity }: BackupPlaces,
): Promise<BackedUpStack> {
  const server = await startDebianPostgres(join(scratch, 'postgres'));
  const { stdout: recipient } = await velum({}, ['backup', 'keygen', identity]);
  const env = {
    BACKUP_TARGET: target,
    BACKUP_RECIPIENTS: recipient.trim(),
    BACKUP_JOURNAL_SECONDS: '1',
    PATH: `${server.programs}:${process.env['PATH']}`,
  };
  return { server, stack: await Stack.start({ server: server.url, worker: true, env }) };
}

/** What an object of the target says to who has the private key. */
export async function opened(path: string, identity: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const source = (async function* () {
    yield readFileSync(path);
  })();
  const key = /^AGE-SECRET.*/m.exec(readFileSync(identity, 'utf8'))?.[0] ?? '';
  for await (const chunk of decrypt(source, [key])) chunks.push(chunk);
  return Buffer.concat(chunks);
}
