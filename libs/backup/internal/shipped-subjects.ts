import { asId, type SubjectId } from '#platform/ids';
import type { EntityManager } from 'typeorm';
import type { Erasure } from '../erasure-shipment.js';
import { hashOf } from './subject-hash.js';

const SUBJECTS_AT_ONCE = 50_000;

/** As it is carried out; what is about somebody whom the database does not know is left out. Lists of before have the ids. */
export async function withSubjects(
  tx: EntityManager,
  erasures: readonly Erasure[],
): Promise<readonly Erasure[]> {
  const wanted = new Set(erasures.flatMap(({ subject_hash: hash }) => hash ?? []));
  const known = wanted.size === 0 ? new Map<string, SubjectId>() : await lookUp(tx, wanted);
  return erasures.flatMap((erasure) => {
    const { subject_hash: hash } = erasure;
    if (!hash) return [erasure];
    const subjectId = known.get(hash);
    return subjectId === undefined ? [] : [{ ...erasure, subject_id: subjectId }];
  });
}

async function lookUp(tx: EntityManager, wanted: ReadonlySet<string>): Promise<Map<string, SubjectId>> {
  const known = new Map<string, SubjectId>();
  for (let after: string | null = null; ;) {
    const rows: { id: string }[] = await tx.query(
      'SELECT id FROM subject WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2',
      [after, SUBJECTS_AT_ONCE],
    );
    for (const row of rows) {
      const id = asId<'subject'>(row.id);
      const hash = hashOf(id);
      if (wanted.has(hash)) known.set(hash, id);
      after = row.id;
    }
    if (rows.length < SUBJECTS_AT_ONCE) return known;
  }
}
