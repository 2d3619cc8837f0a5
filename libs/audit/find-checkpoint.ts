import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { CheckpointNotFound } from './audit.errors.js';
import { latestTree } from './internal/signed-tree.js';
import { openCheckpoint, parseVkey } from './verifier/verify-audit.mjs';

export interface LatestCheckpoint {
  readonly note: string;
  /** Of the key that signed it. */
  readonly vkey: string;
}

export class FindCheckpoint extends Query<LatestCheckpoint> {}

@QueryHandler(FindCheckpoint)
export class FindCheckpointHandler implements IQueryHandler<FindCheckpoint> {
  constructor(private readonly db: DataSource) {}

  async execute(): Promise<LatestCheckpoint> {
    const { note, keys } = await latestTree(this.db.manager);
    const vkey = keys.find((key) => signed(note, key));
    if (vkey === undefined) throw new CheckpointNotFound();
    return { note, vkey };
  }
}

/** A row that is no key, or a note that is none, is for the verifier to complain about. */
function signed(note: string, vkey: string): boolean {
  try {
    const { origin, signers } = openCheckpoint(note, [parseVkey(vkey)]);
    return signers.some(({ name }) => name === origin);
  } catch {
    return false;
  }
}
