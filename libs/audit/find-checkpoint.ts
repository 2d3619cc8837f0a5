import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { CheckpointNotFound } from './audit.errors.js';
import { latestTree } from './internal/signed-tree.js';

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
    const { note, keys } = await latestTree(this.db.manager);
    const [origin = ''] = note.split('\n', 1);
    const vkey = keys.findLast((key) => key.startsWith(`${origin}+`));
    if (vkey === undefined) throw new CheckpointNotFound();
    return { note, vkey };
  }
}
