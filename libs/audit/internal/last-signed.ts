import type { Config } from '#platform/config';
import type { EntityManager } from 'typeorm';
import { LogInconsistent } from '../log-inconsistent.js';
import type { Checkpoint } from '../verifier/verify-audit.mjs';
import { openOwn } from './log-identity.js';
import { readEdge } from './stored-tree.js';

export interface Head extends Checkpoint {
  readonly number: number;
}

/** The latest checkpoint, of size 0 before the first. Throws LogInconsistent unless it is ours and of all leaves that are stored. */
export async function lastSigned(tx: EntityManager, config: Config): Promise<Head> {
  const [row] = await tx.query<{ n: string; note: string; leaves: string | null }[]>(
    `SELECT n, note, (SELECT max(leaf_index) FROM audit_leaf) AS leaves
     FROM audit_checkpoint ORDER BY tree_size DESC LIMIT 1`,
  );
  if (row === undefined) {
    const [leaf] = await tx.query<unknown[]>(
      'SELECT FROM audit_leaf UNION ALL SELECT FROM audit_tile LIMIT 1',
    );
    if (leaf !== undefined) throw new LogInconsistent('there are leaves, and no checkpoint');
    return { number: 0, origin: '', size: 0, root: (await readEdge(tx, 0)).root() };
  }
  const checkpoint = openOwn(row.note, config);
  if (checkpoint === undefined) {
    throw new LogInconsistent(
      'the last checkpoint is not signed by our key, or a former one, under the name of this log (AUDIT_ORIGIN)',
    );
  }
  if (Number(row.leaves ?? -1) + 1 !== checkpoint.size) {
    throw new LogInconsistent('there are other leaves than were signed for');
  }
  return { ...checkpoint, number: Number(row.n) };
}
