import type { SubjectId } from '#platform/ids';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { type Entry, ENTRY_JSON } from './internal/entry.js';
import { latestTree } from './internal/signed-tree.js';
import { readTiles } from './internal/stored-tree.js';
import { inclusionPath, rootsOf, tilesFor } from './internal/tree-paths.js';

export interface BundledEntry {
  readonly leafIndex: number;
  readonly commitment: string;
  readonly salt: string;
  readonly event: Entry;
  readonly hashes: readonly string[];
}

/** Every entry that names one person, each with its proof, for libs/audit/verifier/verify-audit.mjs. */
export interface SubjectBundle {
  readonly format: 'velum-audit-bundle/1';
  readonly subjectId: string;
  readonly treeSize: number;
  readonly checkpoint: string;
  readonly keys: readonly string[];
  readonly entries: readonly BundledEntry[];
  /** From which leaf to go on; null when this is all that has a leaf. */
  readonly nextLeaf: number | null;
  /** Entries that have no leaf yet. */
  readonly waiting: number;
}

/** The caller has seen to it that the subject may be asked about. */
export class BundleSubject extends Query<SubjectBundle> {
  constructor(
    readonly subjectId: SubjectId,
    readonly fromLeaf: number,
    readonly limit: number,
  ) {
    super();
  }
}

@QueryHandler(BundleSubject)
export class BundleSubjectHandler implements IQueryHandler<BundleSubject> {
  constructor(private readonly db: DataSource) {}

  execute({ subjectId, fromLeaf, limit }: BundleSubject): Promise<SubjectBundle> {
    // One snapshot: what is sequenced meanwhile is left for the next call.
    return this.db.transaction('REPEATABLE READ', async (tx) => {
      const { size, note, keys } = await latestTree(tx);
      const rows = await tx.query<{ leaf_index: string; commitment: Buffer; salt: Buffer; event: Entry }[]>(
        `SELECT l.leaf_index, l.commitment, e.salt, ${ENTRY_JSON} AS event
         FROM audit_event e JOIN audit_leaf l ON l.event_id = e.id
         WHERE e.subject_id = $1 AND l.leaf_index >= $2 ORDER BY l.leaf_index LIMIT $3`,
        [subjectId, fromLeaf, limit + 1],
      );
      const [pending] = await tx.query<{ waiting: number }[]>(
        `SELECT count(*)::int AS waiting FROM audit_pending p JOIN audit_event e ON e.id = p.event_id
         WHERE e.subject_id = $1`,
        [subjectId],
      );
      const shown = rows.slice(0, limit);
      const paths = shown.map(({ leaf_index }) => inclusionPath(Number(leaf_index), size));
      const tiles = await readTiles(tx, tilesFor(paths.flat()));
      return {
        format: 'velum-audit-bundle/1',
        subjectId,
        treeSize: size,
        checkpoint: note,
        keys,
        entries: shown.map(({ leaf_index, commitment, salt, event }, i) => ({
          leafIndex: Number(leaf_index),
          commitment: commitment.toString('base64'),
          salt: salt.toString('base64'),
          event,
          hashes: rootsOf(paths[i] ?? [], tiles).map((hash) => hash.toString('base64')),
        })),
        nextLeaf: rows.length > limit ? Number(rows[limit]?.leaf_index) : null,
        waiting: pending?.waiting ?? 0,
      };
    });
  }
}
