import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

export interface CheckpointView {
  readonly number: number;
  readonly treeSize: number;
  readonly checkpoint: string;
  readonly signedAt: Date;
}

/** Newest first, those of trees smaller than `below`. */
export class ListCheckpoints extends Query<readonly CheckpointView[]> {
  constructor(
    readonly below: number | undefined,
    readonly limit: number,
  ) {
    super();
  }
}

@QueryHandler(ListCheckpoints)
export class ListCheckpointsHandler implements IQueryHandler<ListCheckpoints> {
  constructor(private readonly db: DataSource) {}

  async execute({ below, limit }: ListCheckpoints): Promise<readonly CheckpointView[]> {
    const rows = await this.db.query<{ n: string; tree_size: string; note: string; signed_at: Date }[]>(
      `SELECT n, tree_size, note, signed_at FROM audit_checkpoint
       WHERE $1::bigint IS NULL OR tree_size < $1 ORDER BY tree_size DESC LIMIT $2`,
      [below ?? null, limit],
    );
    return rows.map(({ n, tree_size, note, signed_at }) => ({
      number: Number(n),
      treeSize: Number(tree_size),
      checkpoint: note,
      signedAt: signed_at,
    }));
  }
}
