import { CUSTODY } from '#platform/keyring';
import type { EntityManager } from 'typeorm';

/** When there is nothing in its way any more but time; undefined if custody may be adopted now. */
export async function adoptionDue(tx: EntityManager, adoptionHours: number): Promise<Date | undefined> {
  if (await mayAdopt(tx, adoptionHours)) return undefined;
  const [found] = await tx.query<{ due: Date }[]>(
    `SELECT coalesce(min(seen_at), now()) + make_interval(hours => $1) AS due FROM custody.wrapping_key`,
    [adoptionHours],
  );
  return found?.due;
}

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
