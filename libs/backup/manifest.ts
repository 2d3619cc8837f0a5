import type { KeyedSignature, Keyring } from '#platform/keyring';
import { SealedValueUnreadable } from '#platform/keyring';
import type { BackupStore } from './backup-store.js';
import { BadBackup, CannotBackUp } from './cannot-back-up.js';
import { collect, type Measure, once } from './internal/streams.js';

/** What a backup is, in the clear: names, counts and digests, never a value of a row. */
export interface Manifest {
  readonly format: 1;
  readonly id: string;
  /** When its snapshot was taken, by the clock of the database. */
  readonly takenAt: string;
  /** Major version of the server. */
  readonly postgres: number;
  /** The newest migration. */
  readonly schema: string;
  /** Of the encrypted file. */
  readonly bytes: number;
  readonly sha256: string;
  /** Of the encrypted snapshot of Redis; null where none could be taken. */
  readonly redis: Measure | null;
  /** Rows of each table. */
  readonly tables: Readonly<Record<string, number>>;
  /** The keys of db_encryption_key and custody_encryption_key without which it is of no use. */
  readonly encryptionKeys: readonly string[];
  /** The highest audit record in it. */
  readonly lastAuditEvent: string | null;
  /** The last of the audit log's tree, by which a database that went on from this one is known; versions before had none. */
  readonly lastLeaf?: { readonly index: number; readonly commitment: string } | null;
  /** Erasures that were shipped up to this number are in it. */
  readonly erasuresShipped: number;
}

const CONTEXT = 'backup manifest';
const SUFFIX = '.manifest.json';

export function dumpName(id: string): string {
  return `${id}.dump.age`;
}

export function redisName(id: string): string {
  return `${id}.redis.age`;
}

export function manifestName(id: string): string {
  return `${id}${SUFFIX}`;
}

/** With its manifest a backup begins to count: it is written last, after all else was checked. */
export async function writeManifest(store: BackupStore, manifest: Manifest, keyring: Keyring): Promise<void> {
  const signature = keyring.sign(JSON.stringify(manifest), CONTEXT);
  const text = `${JSON.stringify({ manifest, signature }, null, 2)}\n`;
  await store.put(manifestName(manifest.id), once(text));
}

/** Throws BadBackup if it was not written by this installation, whose bucket others may write to. */
export async function readManifest(store: BackupStore, id: string, keyring: Keyring): Promise<Manifest> {
  const text = (await collect(store.read(manifestName(id)))).toString();
  try {
    const { manifest, signature }: { manifest: Manifest; signature: KeyedSignature } = JSON.parse(text);
    if (manifest.id === id && keyring.isGenuine(JSON.stringify(manifest), CONTEXT, signature))
      return manifest;
  } catch (error) {
    if (error instanceof SealedValueUnreadable) {
      throw new CannotBackUp(
        `The manifest of ${id} is signed with a key that is not in db_encryption_key: the secret belongs to another installation, or lacks an old key.`,
      );
    }
  }
  throw new BadBackup(`The manifest of ${id} was changed, or is not of this installation.`);
}

/** As the manifest says, which nobody has checked; undefined if it says nothing. */
export async function signingKeyOf(store: BackupStore, id: string): Promise<string | undefined> {
  const text = (await collect(store.read(manifestName(id)))).toString();
  try {
    const { signature }: { signature?: Partial<KeyedSignature> } = JSON.parse(text);
    return signature?.keyId;
  } catch {
    return undefined;
  }
}

/** Ids of the backups that have a manifest, oldest first. */
export async function listIds(store: BackupStore): Promise<readonly string[]> {
  const objects = await store.list('');
  return objects.flatMap(({ name }) =>
    name.endsWith(SUFFIX) && !name.includes('/') ? [name.slice(0, -SUFFIX.length)] : [],
  );
}

/** The newest one for `latest`. */
export async function findBackup(store: BackupStore, wanted: string, keyring: Keyring): Promise<Manifest> {
  const ids = await listIds(store);
  const id = wanted === 'latest' ? ids.at(-1) : ids.find((known) => known === wanted);
  if (id === undefined) {
    throw new CannotBackUp(
      ids.length === 0
        ? 'There is no backup in the target.'
        : `There is no backup ${wanted}; see backup list.`,
    );
  }
  return readManifest(store, id, keyring);
}
