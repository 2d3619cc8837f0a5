import type { EntityManager } from 'typeorm';
import { CheckpointNotFound } from '../audit.errors.js';

export interface SignedTree {
  readonly size: number;
  /** The checkpoint, a signed note. */
  readonly note: string;
  /** Public keys that ever signed, oldest first. */
  readonly keys: readonly string[];
}

/** The tree of the latest checkpoint. */
export async function latestTree(tx: EntityManager): Promise<SignedTree> {
  const [row] = await tx.query<{ tree_size: string; note: string; keys: string[] }[]>(
    `SELECT tree_size, note, ARRAY(SELECT vkey FROM audit_key ORDER BY since) AS keys
     FROM audit_checkpoint ORDER BY tree_size DESC LIMIT 1`,
  );
  if (row === undefined) throw new CheckpointNotFound();
  return { size: Number(row.tree_size), note: row.note, keys: row.keys };
}

/** By size; none where none was signed for exactly that size. */
export async function checkpointsOf(
  tx: EntityManager,
  sizes: readonly number[],
): Promise<ReadonlyMap<number, string>> {
  const rows = await tx.query<{ tree_size: string; note: string }[]>(
    'SELECT tree_size, note FROM audit_checkpoint WHERE tree_size = ANY($1)',
    [sizes],
  );
  return new Map(rows.map(({ tree_size, note }) => [Number(tree_size), note]));
}
