import { EMPTY_ROOT, nodeHash } from '../verifier/verify-audit.mjs';

/** Nodes in a row of C2SP tlog-tiles. */
export const WIDTH = 256;
export const HASH_BYTES = 32;

export interface Tile {
  readonly level: number;
  readonly index: number;
  /** One after the other; of a row that is not full, what there is. */
  readonly hashes: Buffer;
}

/** The right edge of a Merkle tree (RFC 6962 section 2.1): the last row of each level, which is all that growing needs. */
export class TreeEdge {
  private readonly rows: Buffer[];

  /** `rows[level]` holds the nodes of that level's row that is not full. */
  constructor(
    private count: number,
    rows: readonly Buffer[],
  ) {
    this.rows = [...rows];
    for (
      let [level, nodes] = [0, count];
      nodes > 0;
      [level, nodes] = [level + 1, Math.floor(nodes / WIDTH)]
    ) {
      if ((this.rows[level] ?? Buffer.alloc(0)).length !== (nodes % WIDTH) * HASH_BYTES) {
        throw new RangeError('the rows are not those of a tree of that size');
      }
    }
  }

  get size(): number {
    return this.count;
  }

  /** Appends leaf hashes; answers the rows that are new or longer than before. */
  append(hashes: Buffer): Tile[] {
    const tiles = this.extend(0, this.count, hashes);
    this.count += hashes.length / HASH_BYTES;
    return tiles;
  }

  root(): Buffer {
    let root: Buffer | undefined;
    for (const row of this.rows) {
      for (let end = row.length / HASH_BYTES; end > 0;) {
        // The lowest bit set is the width of the last complete subtree.
        const width = end & -end;
        const left = subtreeRoot(row.subarray((end - width) * HASH_BYTES, end * HASH_BYTES));
        root = root === undefined ? left : nodeHash(left, root);
        end -= width;
      }
    }
    return root ?? EMPTY_ROOT;
  }

  private extend(level: number, nodes: number, added: Buffer): Tile[] {
    if (added.length === 0) return [];
    const all = Buffer.concat([this.rows[level] ?? Buffer.alloc(0), added]);
    const [first, rowBytes] = [Math.floor(nodes / WIDTH), WIDTH * HASH_BYTES];
    const tiles: Tile[] = [];
    const roots: Buffer[] = [];
    let from = 0;
    for (; from < all.length; from += rowBytes) {
      const hashes = all.subarray(from, from + rowBytes);
      tiles.push({ level, index: first + from / rowBytes, hashes });
      if (hashes.length < rowBytes) break;
      roots.push(subtreeRoot(hashes));
    }
    this.rows[level] = all.subarray(Math.min(from, all.length));
    return [...tiles, ...this.extend(level + 1, first, Buffer.concat(roots))];
  }
}

/** Of 1, 2, 4, … 256 nodes in a row. */
export function subtreeRoot(hashes: Buffer): Buffer {
  let level = hashes;
  while (level.length > HASH_BYTES) {
    const next = Buffer.allocUnsafe(level.length / 2);
    for (let i = 0; i < level.length; i += 2 * HASH_BYTES) {
      nodeHash(level.subarray(i, i + HASH_BYTES), level.subarray(i + HASH_BYTES, i + 2 * HASH_BYTES)).copy(
        next,
        i / 2,
      );
    }
    level = next;
  }
  return Buffer.from(level);
}
