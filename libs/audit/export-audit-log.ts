import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource, type EntityManager } from 'typeorm';
import { TreeSizeOutOfRange } from './audit.errors.js';
import { type Entry, ENTRY_JSON } from './internal/entry.js';
import { readForgotten } from './internal/export-forgotten.js';
import { latestTree } from './internal/signed-tree.js';
import { readStrays } from './internal/strays.js';
import { HASH_BYTES, WIDTH } from './internal/tree-edge.js';

/** Whole rows of the tree, so that each follows the leaves that it is made of. */
const LEAVES_AT_ONCE = 32 * WIDTH;

/**
 * The log as NDJSON, in portions: leaves with their entries, the checkpoints and rows of the stored tree between them.
 * docs/audit.md has the format; libs/audit/verifier/verify-audit.mjs reads it.
 */
export class ExportAuditLog extends Query<AsyncGenerator<string>> {
  /** `to`: how many leaves the log had; those of the latest checkpoint, where it is not named. */
  constructor(
    readonly from = 0,
    readonly to?: number,
  ) {
    super();
  }
}

@QueryHandler(ExportAuditLog)
export class ExportAuditLogHandler implements IQueryHandler<ExportAuditLog> {
  constructor(private readonly db: DataSource) {}

  async execute({ from, to: asked }: ExportAuditLog): Promise<AsyncGenerator<string>> {
    const { size, note, keys } = await latestTree(this.db.manager);
    const to = asked ?? size;
    if (from > to || to > size) throw new TreeSizeOutOfRange();
    const head = {
      format: 'velum-audit-export/1',
      from,
      to,
      checkpoint: note,
      keys,
    };
    return this.lines(from, to, to === size, `${JSON.stringify(head)}\n`);
  }

  private async *lines(from: number, to: number, whole: boolean, head: string): AsyncGenerator<string> {
    yield head;
    for (let start = from; start < to;) {
      const end = Math.min(to, (Math.floor(start / LEAVES_AT_ONCE) + 1) * LEAVES_AT_ONCE);
      const lines = [
        ...(await readLeaves(this.db.manager, start, end)),
        ...(await readTiles(this.db.manager, start, end, to)),
      ];
      const checkpoints = await readCheckpoints(this.db.manager, start, end);
      yield merged(lines, checkpoints);
      start = end;
    }
    if (whole) yield* texts(await readStrays(this.db));
    yield* texts(await readForgotten(this.db, to));
    yield* texts([{ end: to }]);
  }
}

function* texts(lines: readonly object[]): Generator<string> {
  for (const line of lines) yield `${JSON.stringify(line)}\n`;
}

interface Line {
  /** How many leaves must have been read before it. */
  readonly after: number;
  readonly text: string;
}

function merged(lines: readonly Line[], checkpoints: readonly Line[]): string {
  return [...lines, ...checkpoints]
    .toSorted((a, b) => a.after - b.after)
    .map(({ text }) => `${text}\n`)
    .join('');
}

/** Which erasure a leaf without content is of is said at the end: an erasure may come while the leaves are read. */
async function readLeaves(tx: EntityManager, from: number, to: number): Promise<Line[]> {
  const rows = await tx.query<
    { leaf: string; commitment: string; salt: string | null; event: Entry | null }[]
  >(
    `SELECT l.leaf_index AS leaf, translate(encode(l.commitment, 'base64'), E'\\n', '') AS commitment,
            encode(e.salt, 'base64') AS salt, CASE WHEN e.id IS NOT NULL THEN ${ENTRY_JSON} END AS event
     FROM audit_leaf l LEFT JOIN audit_event e ON e.id = l.event_id
     WHERE l.leaf_index >= $1 AND l.leaf_index < $2 ORDER BY l.leaf_index`,
    [from, to],
  );
  return rows.map(({ leaf, commitment, salt, event }) => ({
    // A leaf that is missing must not move those after it in front of their checkpoints.
    after: Number(leaf) + 1,
    text: JSON.stringify({ leaf: Number(leaf), commitment, ...(event !== null && { salt, event }) }),
  }));
}

async function readCheckpoints(tx: EntityManager, after: number, upTo: number): Promise<Line[]> {
  const rows = await tx.query<{ n: string; tree_size: string; note: string; signed_at: Date }[]>(
    'SELECT n, tree_size, note, signed_at FROM audit_checkpoint WHERE tree_size > $1 AND tree_size <= $2 ORDER BY n',
    [after, upTo],
  );
  return rows.map(({ n, tree_size, note, signed_at }) => ({
    after: Number(tree_size),
    text: JSON.stringify({ n: Number(n), size: Number(tree_size), note, signedAt: signed_at.toISOString() }),
  }));
}

/** Rows that were filled between the two sizes, and at the very end those that are not full. */
async function readTiles(tx: EntityManager, from: number, to: number, last: number): Promise<Line[]> {
  const lines: Line[] = [];
  for (let [level, span] = [0, 1]; span <= to; [level, span] = [level + 1, span * WIDTH]) {
    const nodes = Math.floor(to / span);
    const rows = await tx.query<{ tile_index: string; hashes: Buffer }[]>(
      'SELECT tile_index, hashes FROM audit_tile WHERE level = $1 AND tile_index >= $2 AND tile_index < $3',
      [
        level,
        Math.floor(from / span / WIDTH),
        to === last ? Math.ceil(nodes / WIDTH) : Math.floor(nodes / WIDTH),
      ],
    );
    for (const { tile_index, hashes } of rows) {
      const index = Number(tile_index);
      // The row may have grown since the tree had this size.
      const there = hashes.subarray(0, (nodes - index * WIDTH) * HASH_BYTES).toString('base64');
      const after = Math.min(to, (index + 1) * span * WIDTH);
      lines.push({ after, text: JSON.stringify({ tile: [level, index], hashes: there }) });
    }
  }
  return lines;
}
