import type { EntityManager } from 'typeorm';

/** Every column whose values are under db_encryption_key, as sealed_values() counts them. Each row has an `id`, a UUID. */
export const SEALED_COLUMNS = [
  { name: 'custody.segment.secret', table: 'custody.segment', column: 'secret' },
  { name: 'subject.reference', table: 'subject', column: 'reference' },
  { name: 'webhook.url', table: 'webhook', column: 'url' },
  { name: 'webhook.secret', table: 'webhook', column: 'secret' },
  { name: 'job.spool_key', table: 'job', column: 'spool_key' },
  { name: 'record_fact.value', table: 'record_fact', column: 'value' },
] as const;

export type SealedColumn = (typeof SEALED_COLUMNS)[number];

export interface SealedCount {
  readonly name: SealedColumn['name'];
  readonly keyId: string;
  readonly values: number;
}

/** How many values are under which key; a role that may not read a column is told their number, too. */
export async function countSealed(tx: EntityManager): Promise<readonly SealedCount[]> {
  return tx.query<SealedCount[]>(
    'SELECT name, key_id AS "keyId", count::float8 AS "values" FROM sealed_values() ORDER BY 1, 2',
  );
}
