import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { CheckpointNotFound } from './audit.errors.js';
import { keysOf, latestTree } from './internal/signed-tree.js';

export interface LatestCheckpoint {
  readonly note: string;
  /** Of the key that signs now. */
  readonly vkey: string;
}

export class FindCheckpoint extends Query<LatestCheckpoint> {}

@QueryHandler(FindCheckpoint)
export class FindCheckpointHandler implements IQueryHandler<FindCheckpoint> {
  constructor(private readonly db: DataSource) {}

  async execute(): Promise<LatestCheckpoint> {
    const { note } = await latestTree(this.db.manager);
    const vkey = (await keysOf(this.db.manager)).at(-1);
    if (vkey === undefined) throw new CheckpointNotFound();
    return { note, vkey };
  }
}
