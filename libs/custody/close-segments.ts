import { SLOTS_PER_SEGMENT } from '#homomorphic/parameters';
import type { EntityManager } from 'typeorm';

/**
 * A restored database does not know which slots were given since its backup. Two rows under one pad would show the
 * difference of two templates, so before it serves, no slot of an open segment is ever given again. Answers how many
 * segments were open.
 */
export async function closeSegments(tx: EntityManager): Promise<number> {
  const [, closed] = await tx.query<[unknown[], number]>(
    'UPDATE custody.segment SET used = $1 WHERE used < $1',
    [SLOTS_PER_SEGMENT],
  );
  return closed;
}
