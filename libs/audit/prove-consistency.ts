import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { TreeSizeOutOfRange } from './audit.errors.js';
import { checkpointsOf, latestTree } from './internal/signed-tree.js';
import { readRoots } from './internal/stored-tree.js';
import { consistencyPath } from './internal/tree-paths.js';

export interface ConsistencyProof {
  readonly format: 'velum-audit-consistency/1';
  readonly from: number;
  readonly to: number;
  /** Null where none was signed for exactly that size. */
  readonly fromCheckpoint: string | null;
  readonly toCheckpoint: string | null;
  readonly keys: readonly string[];
  readonly hashes: readonly string[];
}

/** That the log of `to` leaves begins with that of `from`. `to`: of the latest checkpoint, where none is named. */
export class ProveConsistency extends Query<ConsistencyProof> {
  constructor(
    readonly from: number,
    readonly to?: number,
  ) {
    super();
  }
}

@QueryHandler(ProveConsistency)
export class ProveConsistencyHandler implements IQueryHandler<ProveConsistency> {
  constructor(private readonly db: DataSource) {}

  async execute({ from, to: asked }: ProveConsistency): Promise<ConsistencyProof> {
    const tx = this.db.manager;
    const latest = await latestTree(tx);
    const to = asked ?? latest.size;
    if (from > to || to > latest.size) throw new TreeSizeOutOfRange();
    const hashes = await readRoots(tx, consistencyPath(from, to));
    const checkpoints = await checkpointsOf(tx, [from, to]);
    return {
      format: 'velum-audit-consistency/1',
      from,
      to,
      fromCheckpoint: checkpoints.get(from) ?? null,
      toCheckpoint: checkpoints.get(to) ?? null,
      keys: latest.keys,
      hashes: hashes.map((hash) => hash.toString('base64')),
    };
  }
}
