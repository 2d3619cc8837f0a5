import type { EntityManager } from 'typeorm';
import { CUSTODY } from './keyring.js';

/** Every column whose values are under db_encryption_key, as sealed_values() counts them. Each row has an `id`, a UUID. */
export const SEALED_COLUMNS = [
  { name: 'subject.reference', table: 'subject', column: 'reference' },
  { name: 'webhook.url', table: 'webhook', column: 'url' },
  { name: 'webhook.secret', table: 'webhook', column: 'secret' },
  { name: 'job.spool_key', table: 'job', column: 'spool_key' },
  { name: 'statement_key.private_key', table: 'statement_key', column: 'private_key' },
  { name: 'rights_case.request', table: 'rights_case', column: 'request' },
  { name: 'rights_case.answer', table: 'rights_case', column: 'answer' },
  { name: 'nominee.name', table: 'nominee', column: 'name' },
  { name: 'nominee.contact', table: 'nominee', column: 'contact' },
  { name: 'officer.name', table: 'officer', column: 'name' },
  { name: 'officer.email', table: 'officer', column: 'email' },
  { name: 'officer.totp_secret', table: 'officer', column: 'totp_secret' },
  { name: 'gallery.binding_key', table: 'gallery', column: 'binding_key' },
  { name: 'incident.title', table: 'incident', column: 'title' },
  { name: 'incident.description', table: 'incident', column: 'description' },
  { name: 'incident_entry.text', table: 'incident_entry', column: 'text' },
  { name: 'incident_notice.text', table: 'incident_notice', column: 'text' },
  { name: 'record_fact.value', table: 'record_fact', column: 'value' },
] as const;

/** Counted as well; under custody_encryption_key, and sealed anew by the custodian itself. */
export const SEGMENT_SECRET = 'custody.segment.secret';

export type SealedColumn = (typeof SEALED_COLUMNS)[number];

export interface SealedCount {
  readonly name: SealedColumn['name'] | typeof SEGMENT_SECRET;
  readonly keyId: string;
  readonly values: number;
}

/** How many values are under which key; a role that may not read a column is told their number, too. */
export async function countSealed(tx: EntityManager): Promise<readonly SealedCount[]> {
  return tx.query<SealedCount[]>(
    'SELECT name, key_id AS "keyId", count::float8 AS "values" FROM sealed_values() ORDER BY 1, 2',
  );
}

/** A key of db_encryption_key has to stay for these: all that is under another of its keys than `current`. */
export function underOldKeys(counts: readonly SealedCount[], current: string): number {
  return counts
    .filter(({ keyId }) => keyId !== current && !keyId.startsWith(CUSTODY))
    .reduce((sum, { values }) => sum + values, 0);
}
