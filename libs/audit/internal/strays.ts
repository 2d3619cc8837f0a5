import type { DataSource } from 'typeorm';

/** Whole tables are read; the pool's own limit is for queries that somebody waits for. */
const LONGEST_STATEMENT = '30min';

/** Rows that belong to nothing: whoever works on the tables by hand leaves them. In one statement, so at one moment. */
export function readStrays(db: DataSource): Promise<object[]> {
  return db.transaction(async (tx) => {
    await tx.query(`SET LOCAL statement_timeout = '${LONGEST_STATEMENT}'`);
    const rows = await tx.query<{ kind: string; which: string }[]>(STRAYS);
    return rows.map(({ kind, which }) => ({ stray: kind, which }));
  });
}

const STRAYS = `
  WITH signed AS (SELECT max(tree_size) AS size FROM audit_checkpoint)
  SELECT 'leaf' AS kind, leaf_index::text AS which FROM audit_leaf, signed WHERE leaf_index >= size
  UNION ALL
  SELECT 'tile', level || '/' || tile_index FROM audit_tile, signed
    WHERE tile_index < 0 OR tile_index * 256::numeric >= floor(size / 256::numeric ^ level)
  UNION ALL
  SELECT 'event', e.id::text FROM audit_event e LEFT JOIN audit_leaf l ON l.event_id = e.id
    LEFT JOIN audit_pending p ON p.event_id = e.id WHERE l.event_id IS NULL AND p.event_id IS NULL
    -- Entries of before that the worker has yet to queue.
    AND NOT EXISTS (SELECT FROM audit_past a WHERE e.id > a.queued AND e.id <= a.last)
  UNION ALL
  SELECT 'forgotten', f.record_id::text FROM audit_forgotten f
    LEFT JOIN audit_leaf l ON l.commitment = f.commitment AND l.event_id IS NULL
    LEFT JOIN audit_pending p ON p.commitment = f.commitment AND p.event_id IS NULL
    WHERE l.commitment IS NULL AND p.commitment IS NULL`;
