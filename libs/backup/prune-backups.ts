import type { RetentionPolicy } from '#platform/backup-config';
import type { Keyring } from '#platform/keyring';
import type { BackupStore } from './backup-store.js';
import { pruneShipments } from './erasure-shipment.js';
import { listBackups } from './list-backups.js';
import { dumpName, manifestName, redisName } from './manifest.js';
import { keptTimes } from './retention.js';

/** A dump whose manifest did not follow within a day is what an upload left that was cut off. */
const ABANDONED_MS = 86_400_000;

export interface Pruned {
  readonly backups: readonly string[];
  readonly abandoned: readonly string[];
  readonly shipments: number;
}

function namesOf(id: string): readonly string[] {
  return [dumpName(id), redisName(id)];
}

/** Removes what the policy does not keep. A backup whose manifest is not genuine neither counts nor is removed. */
export async function pruneBackups(
  store: BackupStore,
  policy: RetentionPolicy,
  keyring: Keyring,
  now: Date,
): Promise<Pruned> {
  const { good, bad } = await listBackups(store, keyring);
  const byTime = new Map(good.map((manifest) => [new Date(manifest.takenAt), manifest]));
  const kept = keptTimes([...byTime.keys()], policy);
  const backups = [...byTime].filter(([time]) => !kept.has(time)).map(([, { id }]) => id);
  for (const id of backups) {
    // The manifest first: without it the rest counts for nothing, whatever cuts this off.
    await store.remove(manifestName(id));
    for (const { name } of await store.list(`${id}.`)) await store.remove(name);
  }
  const known = new Set([...good.map(({ id }) => id), ...bad].flatMap(namesOf));
  const abandoned = (await store.list(''))
    .filter(({ name }) => namesOf('').some((suffix) => name.endsWith(suffix)))
    .filter(({ name }) => !name.includes('/') && !known.has(name))
    .filter(({ storedAt }) => now.getTime() - storedAt.getTime() > ABANDONED_MS)
    .map(({ name }) => name);
  for (const name of abandoned) await store.remove(name);
  const left = good.filter(({ id }) => !backups.includes(id));
  // A backup that cannot be read may still be wanted, and its erasures with it.
  const shipped = bad.length > 0 ? 0 : Math.min(...left.map(({ erasuresShipped }) => erasuresShipped));
  return { backups, abandoned, shipments: left.length === 0 ? 0 : await pruneShipments(store, shipped) };
}
