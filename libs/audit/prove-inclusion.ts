import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource, type EntityManager } from 'typeorm';
import { AuditEntryNotFound, TreeSizeOutOfRange } from './audit.errors.js';
import { type Entry, ENTRY_JSON } from './internal/entry.js';
import { checkpointsOf, latestTree } from './internal/signed-tree.js';
import { readRoots } from './internal/stored-tree.js';
import { inclusionPath } from './internal/tree-paths.js';

/** What an auditor checks with libs/audit/verifier/verify-audit.mjs; bytes as base64. */
export interface InclusionProof {
  readonly format: 'velum-audit-inclusion/1';
  readonly leafIndex: number;
  readonly treeSize: number;
  /** Null where no checkpoint was signed for exactly that size. */
  readonly checkpoint: string | null;
  readonly keys: readonly string[];
  readonly commitment: string;
  /** Both null of an entry that was forgotten. */
  readonly salt: string | null;
  readonly event: Entry | null;
  readonly hashes: readonly string[];
}

/** That an entry is in the log. `treeSize`: of the latest checkpoint, where none is named. */
export class ProveInclusion extends Query<InclusionProof> {
  constructor(
    readonly leaf: { readonly eventId: string } | { readonly index: number },
    readonly treeSize?: number,
  ) {
    super();
  }
}

@QueryHandler(ProveInclusion)
export class ProveInclusionHandler implements IQueryHandler<ProveInclusion> {
  constructor(private readonly db: DataSource) {}

  async execute({ leaf, treeSize }: ProveInclusion): Promise<InclusionProof> {
    const tx = this.db.manager;
    const latest = await latestTree(tx);
    const size = treeSize ?? latest.size;
    if (size > latest.size || ('index' in leaf && leaf.index >= size)) throw new TreeSizeOutOfRange();
    const { leaf_index, commitment, salt, event } = await findLeaf(tx, leaf);
    const leafIndex = Number(leaf_index);
    if (leafIndex >= size) throw new TreeSizeOutOfRange();
    const hashes = await readRoots(tx, inclusionPath(leafIndex, size));
    return {
      format: 'velum-audit-inclusion/1',
      leafIndex,
      treeSize: size,
      checkpoint: size === latest.size ? latest.note : ((await checkpointsOf(tx, [size])).get(size) ?? null),
      keys: latest.keys,
      commitment: commitment.toString('base64'),
      salt: salt?.toString('base64') ?? null,
      event,
      hashes: hashes.map((hash) => hash.toString('base64')),
    };
  }
}

interface LeafRow {
  readonly leaf_index: string;
  readonly commitment: Buffer;
  readonly salt: Buffer | null;
  readonly event: Entry | null;
}

async function findLeaf(tx: EntityManager, leaf: ProveInclusion['leaf']): Promise<LeafRow> {
  const [where, value] = 'index' in leaf ? ['leaf_index', leaf.index] : ['event_id', leaf.eventId];
  const [row] = await tx.query<LeafRow[]>(
    `SELECT l.leaf_index, l.commitment, e.salt, CASE WHEN e.id IS NOT NULL THEN ${ENTRY_JSON} END AS event
     FROM audit_leaf l LEFT JOIN audit_event e ON e.id = l.event_id WHERE l.${where} = $1`,
    [value],
  );
  if (row === undefined) throw new AuditEntryNotFound();
  return row;
}
