import { CUSTODY } from '#platform/keyring';
import type { EntityManager } from 'typeorm';

/**
 * Not while the version before may serve beside or come back: it opens nothing that is under custody_encryption_key, takes
 * what is under a share for the key itself, and seals under keys of any generation.
 */
export async function mayAdopt(tx: EntityManager, adoptionHours: number): Promise<boolean> {
  const [found] = await tx.query<{ may: boolean | null }[]>(
    `SELECT (SELECT min(seen_at) FROM custody.wrapping_key) <= now() - make_interval(hours => $1)
       OR EXISTS (SELECT FROM custody.segment WHERE starts_with(custody.key_of(secret), $2))
       OR NOT EXISTS (SELECT FROM custody.segment) AS may`,
    [adoptionHours, CUSTODY],
  );
  return found?.may === true;
}
