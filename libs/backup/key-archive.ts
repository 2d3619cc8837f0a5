import { type KeyedSignature, type Keyring, SealedValueUnreadable } from '#platform/keyring';
import type { GalleryId } from '#platform/ids';
import type { EntityManager } from 'typeorm';
import { decrypt, encrypt } from './age-file.js';
import type { BackupStore } from './backup-store.js';
import { BadBackup, CannotBackUp } from './cannot-back-up.js';
import { collect, Measured, measure, once, requireSame } from './internal/streams.js';
import { listIds, type Manifest, readManifest } from './manifest.js';

/** Its rows are in no dump: a backup and every secret open no gallery without the newest archive, which has the live ones. */
export const KEY_SHARES = 'custody.key_share';

/** Made with it: a dump that has this one and not the shares needs an archive. */
const BESIDE_SHARES = 'custody.retired';

const FOLDER = 'keys/';
const CONTEXT = 'key archive';

export interface Share {
  readonly galleryId: GalleryId;
  /** Base64. */
  readonly share: string;
}

/**
 * Throws unless this database is the one whose archives are there, at a later time: any other would take away what opens
 * the backups of that one.
 */
export async function requireSuccession(
  tx: EntityManager,
  store: BackupStore,
  id: string,
  keyring: Keyring,
): Promise<void> {
  const ids = await listIds(store);
  for (const { name } of await store.list(FOLDER)) {
    if (name >= nameOf(id)) {
      throw new CannotBackUp(`${name} is newer than this backup: the clock of the database is behind.`);
    }
    // Without a manifest of its own: whoever wrote it was cut off.
    const theirs = ids.findLast((known) => nameOf(known) <= name);
    if (theirs === undefined || (await follows(tx, await readManifest(store, theirs, keyring)))) continue;
    throw new BadBackup(
      `${name} is of another database, or of a later time than this one was restored to: restore the newest backup, set another BACKUP_TARGET, or, to give up backup ${theirs} and what came before it, move keys/ out of the target.`,
    );
  }
}

/** Its last record is there, or was forgotten with whom it was about; leaves of the log never are. */
async function follows(tx: EntityManager, { lastLeaf, lastAuditEvent }: Manifest): Promise<boolean> {
  const [found] = await tx.query<unknown[]>(
    `SELECT WHERE ($1::uuid IS NULL OR EXISTS (SELECT FROM audit_event WHERE id = $1)
                   OR EXISTS (SELECT FROM audit_event WHERE id > $1 AND type = 'subject.erased' AND outcome = 'ok'))
       AND ($2::bigint IS NULL
            OR EXISTS (SELECT FROM audit_leaf WHERE leaf_index = $2 AND encode(commitment, 'hex') = $3))`,
    [lastAuditEvent, lastLeaf?.index ?? null, lastLeaf?.commitment ?? null],
  );
  return found !== undefined;
}

/** Stores the shares of the key sets that are there now. `id` MUST come after those of earlier ones by name. */
export async function writeKeyArchive(
  tx: EntityManager,
  store: BackupStore,
  id: string,
  recipients: readonly string[],
  keyring: Keyring,
): Promise<void> {
  const shares = await tx.query<Share[]>(
    `SELECT gallery_id AS "galleryId", encode(share, 'base64') AS share FROM ${KEY_SHARES} ORDER BY 1`,
  );
  const body = JSON.stringify({ id, shares });
  const text = JSON.stringify({ body, signature: keyring.sign(body, CONTEXT) });
  const name = nameOf(id);
  const written = new Measured();
  await store.put(name, written.pass(encrypt(once(text), recipients)));
  requireSame(written.result(), await measure(store.read(name)));
}

/** With them goes what opened the galleries that were destroyed since, in every backup. */
export async function removeEarlierArchives(store: BackupStore, id: string): Promise<void> {
  for (const { name } of await store.list(FOLDER)) if (name < nameOf(id)) await store.remove(name);
}

/** Throws BadBackup unless the target has the archive that the backup needs. */
export async function requireArchive(store: BackupStore, { id, tables }: Manifest): Promise<void> {
  if (tables[BESIDE_SHARES] === undefined || tables[KEY_SHARES] !== undefined) return;
  if ((await store.list(FOLDER)).length > 0) return;
  throw new BadBackup(`${FOLDER} is missing from the target: without it backup ${id} opens no gallery.`);
}

/** Of the newest archive; throws BadBackup if it is not what was written. */
export async function readShares(
  store: BackupStore,
  identities: readonly string[],
  keyring: Keyring,
): Promise<readonly Share[]> {
  const newest = (await store.list(FOLDER)).at(-1);
  // Versions before made no archive, and no key set that has a share.
  if (newest === undefined) return [];
  const text = (await collect(decrypt(store.read(newest.name), identities))).toString();
  return genuine(text, newest.name, keyring);
}

/** Gives the key sets of a restored database their shares back; of those that are destroyed there are none. */
export async function restoreShares(tx: EntityManager, shares: readonly Share[]): Promise<void> {
  await tx.query(
    `INSERT INTO ${KEY_SHARES} (gallery_id, share)
     SELECT k.gallery_id, decode(given.share, 'base64') FROM unnest($1::uuid[], $2::text[]) AS given (gallery_id, share)
     JOIN custody.key_set k USING (gallery_id)
     -- A dump by a version that did not leave them out has them.
     ON CONFLICT DO NOTHING`,
    [shares.map(({ galleryId }) => galleryId), shares.map(({ share }) => share)],
  );
}

function nameOf(id: string): string {
  return `${FOLDER}${id}.json.age`;
}

function genuine(text: string, name: string, keyring: Keyring): readonly Share[] {
  try {
    const { body, signature }: { body: string; signature: KeyedSignature } = JSON.parse(text);
    const archive: { id: string; shares: readonly Share[] } = JSON.parse(body);
    if (keyring.isGenuine(body, CONTEXT, signature) && nameOf(archive.id) === name) return archive.shares;
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof SealedValueUnreadable)) throw error;
  }
  throw new BadBackup('The key archive was changed, or is not of this installation.');
}
