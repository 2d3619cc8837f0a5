import type { EntityManager } from 'typeorm';
import { type Tile, TreeEdge, WIDTH } from './tree-edge.js';
import { rootsOf, type Span, type TilePlace, tilesFor } from './tree-paths.js';

/** The roots of spans of the tree, from the rows that are stored. */
export async function readRoots(tx: EntityManager, spans: readonly Span[]): Promise<Buffer[]> {
  return rootsOf(spans, await readTiles(tx, tilesFor(spans)));
}

/** The edge of the tree of `size` leaves. */
export async function readEdge(tx: EntityManager, size: number): Promise<TreeEdge> {
  const places: (TilePlace & { nodes: number })[] = [];
  for (let [level, nodes] = [0, size]; nodes > 0; [level, nodes] = [level + 1, Math.floor(nodes / WIDTH)]) {
    places.push({ level, index: Math.floor(nodes / WIDTH), nodes: nodes % WIDTH });
  }
  const tiles = await readTiles(tx, places);
  const rows = places.map(({ level, nodes }) => {
    const hashes = tiles.find((tile) => tile.level === level)?.hashes ?? Buffer.alloc(0);
    return nodes === 0 ? Buffer.alloc(0) : hashes;
  });
  return new TreeEdge(size, rows);
}

export async function readTiles(tx: EntityManager, places: readonly TilePlace[]): Promise<Tile[]> {
  const rows = await tx.query<{ level: number; tile_index: string; hashes: Buffer }[]>(
    `SELECT t.level, t.tile_index, t.hashes FROM unnest($1::smallint[], $2::bigint[]) AS wanted (level, tile_index)
     JOIN audit_tile t USING (level, tile_index)`,
    [places.map(({ level }) => level), places.map(({ index }) => index)],
  );
  return rows.map(({ level, tile_index, hashes }) => ({ level, index: Number(tile_index), hashes }));
}

export async function writeTiles(tx: EntityManager, tiles: readonly Tile[]): Promise<void> {
  await tx.query(
    `INSERT INTO audit_tile (level, tile_index, hashes) SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bytea[])
     ON CONFLICT (level, tile_index) DO UPDATE SET hashes = EXCLUDED.hashes`,
    [tiles.map(({ level }) => level), tiles.map(({ index }) => index), tiles.map(({ hashes }) => hashes)],
  );
}
