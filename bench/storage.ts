import { SLOTS_PER_SEGMENT } from '#homomorphic/parameters';
import type { Client } from 'pg';

/** Bytes for each enrolled template of a gallery. */
export interface Storage {
  readonly row: number;
  /** Rows, ids and indexes as PostgreSQL keeps them, over all galleries, in proportion to the row. */
  readonly table: number;
  /** What a segment's key takes, divided by all its slots. */
  readonly key: number;
}

export async function storageOf(database: Client, galleryId: string): Promise<Storage> {
  const { rows } = await database.query<Record<'row' | 'overhead' | 'key', string | null>>(
    `SELECT (SELECT avg(octet_length("row")) FROM template WHERE gallery_id = $1) AS "row",
            (SELECT (pg_total_relation_size('template') - sum(octet_length("row"))) / count(*) FROM template)
              AS overhead,
            (SELECT avg(pg_column_size(s.*)) FROM custody.segment s WHERE gallery_id = $1) AS key`,
    [galleryId],
  );
  const [found] = rows;
  if (found === undefined) throw new Error('the gallery stores nothing');
  return {
    row: Number(found.row),
    table: Number(found.row) + Number(found.overhead),
    key: Number(found.key) / SLOTS_PER_SEGMENT,
  };
}
