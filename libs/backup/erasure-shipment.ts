import type { ClientId, ConsentId, GalleryId, HoldId, OfficerId, SubjectId, TemplateId } from '#platform/ids';
import { type KeyedSignature, type Keyring, SealedValueUnreadable } from '#platform/keyring';
import { randomUUID } from 'node:crypto';
import { decrypt, encrypt } from './age-file.js';
import type { BackupStore } from './backup-store.js';
import { BadBackup } from './cannot-back-up.js';
import { collect, once } from './internal/streams.js';
import { hashOf } from './internal/subject-hash.js';

/** Something that is gone for good, or what keeps something or somebody from going, or out: ids and hashes, no more. */
export interface Erasure {
  readonly type:
    | 'hold.placed'
    | 'hold.released'
    | 'processing.restricted'
    | 'processing.resumed'
    | 'subject.erased'
    | 'template.erased'
    | 'consent.withdrawn'
    | 'gallery.destroyed'
    | 'officer.disabled'
    | 'officer.reset'
    | 'client.disabled'
    | 'client.secret_rotated';
  /** Null: of an officer. */
  readonly client_id: ClientId | null;
  /** In the database, and in shipments of earlier versions. */
  readonly subject_id: SubjectId | null;
  /** In a shipment, in place of the id. */
  readonly subject_hash?: string;
  readonly gallery_id: GalleryId | null;
  readonly template_id: TemplateId | null;
  readonly consent_id: ConsentId | null;
  /** When it was asked for, which dates are counted from; shipments of earlier versions lack it. */
  readonly at?: string;
  /** Of holds; shipments of earlier versions lack all three. */
  readonly hold_id?: HoldId | null;
  readonly hold_reason?: string | null;
  readonly hold_until?: string | null;
  /** Of officers; what the version before has shipped of them lacks it. */
  readonly officer_id?: OfficerId | null;
  /** Of a client whose secret was rotated: the newer one's; what the version before has shipped lacks it. */
  readonly secret_hash?: string | null;
}

const FOLDER = 'erasures/';
const CONTEXT = 'erasure shipment';

export async function writeShipment(
  store: BackupStore,
  number: number,
  erasures: readonly Erasure[],
  recipients: readonly string[],
  keyring: Keyring,
): Promise<void> {
  const body = JSON.stringify({ number, erasures: erasures.map(withoutSubject) });
  const text = JSON.stringify({ body, signature: keyring.sign(body, CONTEXT) });
  // Two of a number: the transaction of the first was undone after it was stored.
  const name = `${FOLDER}${String(number).padStart(12, '0')}-${randomUUID()}.json.age`;
  await store.put(name, encrypt(once(text), recipients));
}

export interface ShippedErasures {
  readonly erasures: readonly Erasure[];
  /** The highest number that was used. */
  readonly highest: number;
}

/** Those shipped after a number. Throws BadBackup if one is missing: whoever was erased with it would be back. */
export async function readShipments(
  store: BackupStore,
  after: number,
  identities: readonly string[],
  keyring: Keyring,
): Promise<ShippedErasures> {
  const erasures: Erasure[] = [];
  let highest = after;
  for (const { name } of await store.list(FOLDER)) {
    const number = numberOf(name);
    if (number <= after) continue;
    if (number > highest + 1)
      throw new BadBackup(`Erasures are missing from the target: shipment ${highest + 1}.`);
    const text = (await collect(decrypt(store.read(name), identities))).toString();
    erasures.push(...genuine(text, number, keyring));
    highest = number;
  }
  return { erasures, highest };
}

/** Removes those that every backup has in it; answers how many. */
export async function pruneShipments(store: BackupStore, upTo: number): Promise<number> {
  const old = (await store.list(FOLDER)).filter(({ name }) => numberOf(name) <= upTo);
  for (const { name } of old) await store.remove(name);
  return old.length;
}

function withoutSubject(erasure: Erasure): Erasure {
  const { subject_id: subjectId } = erasure;
  return subjectId === null ? erasure : { ...erasure, subject_id: null, subject_hash: hashOf(subjectId) };
}

function numberOf(name: string): number {
  return Number(name.slice(FOLDER.length, FOLDER.length + 12));
}

function genuine(text: string, number: number, keyring: Keyring): readonly Erasure[] {
  try {
    const { body, signature }: { body: string; signature: KeyedSignature } = JSON.parse(text);
    const shipped: { number: number; erasures: readonly Erasure[] } = JSON.parse(body);
    if (keyring.isGenuine(body, CONTEXT, signature) && shipped.number === number) return shipped.erasures;
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof SealedValueUnreadable)) throw error;
  }
  throw new BadBackup(`Shipment ${number} of erasures was changed, or is not of this installation.`);
}
