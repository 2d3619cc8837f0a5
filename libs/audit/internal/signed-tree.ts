import type { EntityManager } from 'typeorm';
import { CheckpointNotFound } from '../audit.errors.js';

export interface SignedTree {
  readonly size: number;
  /** The checkpoint, a signed note. */
  readonly note: string;
}

/** The tree of the latest checkpoint. */
export async function latestTree(tx: EntityManager): Promise<SignedTree> {
  const [row] = await tx.query<{ tree_size: string; note: string }[]>(
    'SELECT tree_size, note FROM audit_checkpoint ORDER BY tree_size DESC LIMIT 1',
  );
  if (row === undefined) throw new CheckpointNotFound();
  return { size: Number(row.tree_size), note: row.note };
}

/** Null where no checkpoint was signed for exactly that size. */
export async function checkpointOf(tx: EntityManager, size: number): Promise<string | null> {
  const [row] = await tx.query<{ note: string }[]>('SELECT note FROM audit_checkpoint WHERE tree_size = $1', [
    size,
  ]);
  return row?.note ?? null;
}

export async function keysOf(tx: EntityManager): Promise<string[]> {
  const rows = await tx.query<{ vkey: string }[]>('SELECT vkey FROM audit_key ORDER BY since');
  return rows.map(({ vkey }) => vkey);
}
