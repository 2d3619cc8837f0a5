import { SLOTS_PER_SEGMENT } from '#homomorphic/parameters';
import type { Client } from 'pg';

/** Bytes for each enrolled template of a gallery. */
export interface Storage {
  readonly row: number;
  /** Rows, ids and indexes as PostgreSQL keeps them, over all galleries, in proportion to the row. */
  readonly table: number;
  /** The segment's masks divided by all its slots. */
  readonly masks: number;
  readonly unusedPad: number;
}

export async function storageOf(database: Client, galleryId: string): Promise<Storage> {
  const { rows } = await database.query<Record<'row' | 'overhead' | 'masks' | 'pad', string | null>>(
    `SELECT (SELECT avg(octet_length("row")) FROM template WHERE gallery_id = $1) AS "row",
            (SELECT (pg_total_relation_size('template') - sum(octet_length("row"))) / count(*) FROM template)
              AS overhead,
            (SELECT avg(octet_length(masks)) FROM custody.segment WHERE gallery_id = $1) AS masks,
            (SELECT avg(octet_length(pad)) FROM custody.pad WHERE gallery_id = $1) AS pad`,
    [galleryId],
  );
  const [found] = rows;
  if (found === undefined) throw new Error('the gallery stores nothing');
  return {
    row: Number(found.row),
    table: Number(found.row) + Number(found.overhead),
    masks: Number(found.masks) / SLOTS_PER_SEGMENT,
    unusedPad: Number(found.pad),
  };
}
