import { closeSegments } from '#custody/close-segments';
import { retirePlaces } from '#custody/retire-places';
import type { Place } from '#custody/key-custodian';
import { migrate } from '#platform/migrate';
import { CUSTODY, type Keyring } from '#platform/keyring';
import { MIGRATIONS } from '#platform/migrations/all';
import { PASSWORD_FILE } from '#platform/database-client';
import { databaseNamed, withDatabase } from '#platform/one-off-database';
import type { DataSource, EntityManager } from 'typeorm';
import type { BackupStore } from './backup-store.js';
import { BadBackup, CannotBackUp } from './cannot-back-up.js';
import { type Erasure, readShipments } from './erasure-shipment.js';
import { LEFT_OUT } from './internal/left-out.js';
import { feed, requireTool } from './internal/postgres-tools.js';
import { requireReadable } from './internal/readable-tables.js';
import { ScratchDatabase } from './internal/scratch-database.js';
import { countTables } from './internal/snapshot.js';
import { readShares, requireArchive, restoreShares } from './key-archive.js';
import { findBackup, type Manifest } from './manifest.js';
import type { Reapplied } from './reapply-erasures.js';
import { openDump } from './verify-backup.js';

export interface RestoreRequest {
  /** An id, or `latest`. */
  readonly wanted: string;
  /** Of the database to restore, as its owner. */
  readonly into: string;
  /** As which API and custodian log in, to any database of that server. */
  readonly as: AppUrls;
  readonly identities: readonly string[];
  readonly keyring: Keyring;
  /** The database that is there is kept under another name. */
  readonly force: boolean;
  /** All but the last step: nothing is left of it. */
  readonly drill: boolean;
}

export interface RestoreReport {
  readonly manifest: Manifest;
  readonly applied: readonly string[];
  readonly reapplied: Reapplied;
  readonly closedSegments: number;
  readonly openedSegments: number;
  /** Under this name the database that was there is kept. */
  readonly keptAs: string | undefined;
}

export interface AppUrls {
  readonly app: string;
  readonly custodian: string;
}

/** What the apps do in the restored database, as their own roles. */
export type InApps = (
  urls: AppUrls,
  backupId: string,
  erasures: readonly Erasure[],
) => Promise<{ readonly reapplied: Reapplied; readonly openedSegments: number }>;

/** Everything happens in a database of another name; only what passed every check takes the real one's place. */
export async function restoreBackup(
  request: RestoreRequest,
  store: BackupStore,
  inApps: InApps,
): Promise<RestoreReport> {
  const { wanted, into, as, identities, keyring, force, drill } = request;
  const manifest = await findBackup(store, wanted, keyring);
  requireKnownSchema(manifest);
  requireKeys(manifest, keyring);
  await requireArchive(store, manifest);
  const shares = await readShares(store, identities, keyring);
  const shipped = await readShipments(store, manifest.erasuresShipped, identities, keyring);
  const scratch = await ScratchDatabase.create(into, { force, drill });
  try {
    if (scratch.replaces && !drill) await requireAllShipped(into, shipped.highest);
    await pour(request, manifest, store, scratch.url);
    const applied = await migrate(scratch.url);
    const closedSegments = await withDatabase(scratch.url, 'velum-restore', (db) =>
      db.transaction(async (tx) => {
        await tx.query('UPDATE erasure_shipment SET number = greatest(number, $1)', [shipped.highest]);
        await restoreShares(tx, shares);
        return closeSegments(tx);
      }),
    );
    const pending = scratch.replaces && !drill ? await unshipped(into) : [];
    const app = inDatabase(into, as.app, scratch.name);
    const custodian = inDatabase(into, as.custodian, scratch.name);
    const checked = await inApps({ app, custodian }, manifest.id, [...shipped.erasures, ...pending]);
    await withDatabase(scratch.url, 'velum-restore', (db) => db.transaction(retireErased));
    for (const url of [app, custodian]) await requireReadable(scratch.url, url);
    const keptAs = drill ? undefined : await scratch.takePlace();
    return { manifest, applied, closedSegments, ...checked, keptAs };
  } finally {
    // Nothing is left of it, unless it has the other name by now.
    await scratch.drop();
  }
}

async function pour(
  { identities }: RestoreRequest,
  manifest: Manifest,
  store: BackupStore,
  url: string,
): Promise<void> {
  await requireTool('pg_restore', manifest.postgres);
  const args = ['--exit-on-error', '--no-owner'];
  await feed('pg_restore', args, openDump(store, manifest, identities), url);
  const found = await withDatabase(url, 'velum-restore', (db) => countTables(db.manager));
  // A version that did not know of such a table dumped and counted it where the next one's tables were there already.
  const wrong = Object.keys(manifest.tables).filter(
    (table) => !LEFT_OUT.includes(table) && found[table] !== manifest.tables[table],
  );
  if (wrong.length > 0) throw new BadBackup(`Rows are missing after the restore: ${wrong.join(', ')}.`);
}

/** The worker would do it, too, but what was erased is not opened even for a moment. */
async function retireErased(tx: EntityManager): Promise<void> {
  const [gone] = await tx.query<[Place[], number]>(
    'DELETE FROM slot_retirement RETURNING segment_id AS "segmentId", slot',
  );
  if (gone.length > 0) await retirePlaces(tx, gone);
}

/** Of the database that is replaced: what it has shipped since a copy of the target was made is not in that copy. */
async function requireAllShipped(url: string, highest: number): Promise<void> {
  const number = await withDatabase(url, 'velum-restore', async (db) => {
    if (!(await isThere(db, 'erasure_shipment'))) return 0;
    const [shipment] = await db.query<{ number: string }[]>('SELECT number FROM erasure_shipment');
    return Number(shipment?.number ?? 0);
  });
  if (number <= highest) return;
  throw new CannotBackUp(
    `The database that is to be replaced has shipped erasures up to number ${number}, and the target has them up to ${highest}: who was erased since would be back. Copy erasures/ and keys/ of its own target again.`,
  );
}

async function isThere(db: DataSource, table: string): Promise<boolean> {
  const [found] = await db.query<{ there: boolean }[]>('SELECT to_regclass($1) IS NOT NULL AS there', [
    table,
  ]);
  return found?.there === true;
}

/** Of the database that is replaced: what its worker had no time to ship. */
async function unshipped(url: string): Promise<readonly Erasure[]> {
  return withDatabase(url, 'velum-restore', async (db) => {
    if (!(await isThere(db, 'erasure_journal'))) return [];
    // As JSON: a database of an earlier version has no columns for holds.
    const rows = await db.query<{ erasure: Erasure }[]>(
      `SELECT to_jsonb(j) || jsonb_build_object('at',
         to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) AS erasure FROM erasure_journal j ORDER BY id`,
    );
    return rows.map(({ erasure }) => erasure);
  });
}

function requireKnownSchema({ schema, id }: Manifest): void {
  if (MIGRATIONS.some(({ name }) => name === schema)) return;
  throw new CannotBackUp(`Backup ${id} was made by a newer version of Velum: restore it with that version.`);
}

function requireKeys({ encryptionKeys, id }: Manifest, keyring: Keyring): void {
  // Custody opens a segment of each gallery below, or says what it lacks.
  const missing = encryptionKeys.filter((key) => !key.startsWith(CUSTODY) && !keyring.keyIds.includes(key));
  if (missing.length === 0) return;
  throw new CannotBackUp(`Backup ${id} needs keys that are not in db_encryption_key: ${missing.join(', ')}.`);
}

/** As the role of `roleUrl`, with its password and certificate, on the server that is restored to. */
function inDatabase(server: string, roleUrl: string, name: string): string {
  const [url, role] = [new URL(server), new URL(roleUrl)];
  url.username = role.username;
  url.password = role.password;
  // The file of the owner's password is no other role's.
  url.searchParams.delete(PASSWORD_FILE);
  for (const parameter of ['sslcert', 'sslkey', PASSWORD_FILE]) {
    const path = role.searchParams.get(parameter);
    if (path !== null) url.searchParams.set(parameter, path);
  }
  return databaseNamed(url.toString(), name);
}
