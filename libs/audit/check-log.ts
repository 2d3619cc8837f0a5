import type { Config } from '#platform/config';
import { CONFIG } from '#platform/platform.module';
import { Inject } from '@nestjs/common';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { randomInt } from 'node:crypto';
import { DataSource, type EntityManager } from 'typeorm';
import { lastSigned } from './internal/last-signed.js';
import { readEdge, readRoots } from './internal/stored-tree.js';
import { inclusionPath } from './internal/tree-paths.js';
import { LogInconsistent } from './log-inconsistent.js';
import { leafHash, verifyInclusion } from './verifier/verify-audit.mjs';

/** Where a tenth of the leaves was changed, one check in 30 sees none of them. */
const SAMPLE = 32;

/**
 * A cheap look at the log: the latest checkpoint is ours, the stored tree is the one it signed, and leaves taken at random
 * are in it. Answers what is wrong, if anything. `velum audit` reads everything, contents included, which no worker may.
 */
export class CheckLog extends Query<string | undefined> {}

@QueryHandler(CheckLog)
export class CheckLogHandler implements IQueryHandler<CheckLog> {
  constructor(
    private readonly db: DataSource,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  async execute(): Promise<string | undefined> {
    try {
      // At one moment: the sequencer goes on meanwhile.
      await this.db.transaction('REPEATABLE READ', async (tx) => this.check(tx));
      return undefined;
    } catch (error) {
      if (error instanceof LogInconsistent) return error.message;
      if (error instanceof RangeError) return `the stored tree has not what its size needs: ${error.message}`;
      throw error;
    }
  }

  private async check(tx: EntityManager): Promise<void> {
    const { size, root } = await lastSigned(tx, this.config);
    if (size === 0) return;
    if (!(await readEdge(tx, size)).root().equals(root)) {
      throw new LogInconsistent('the stored tree is not the signed one');
    }
    const indices = [...new Set(Array.from({ length: SAMPLE }, () => randomInt(size)))];
    const leaves = await tx.query<{ leaf_index: string; commitment: Buffer }[]>(
      'SELECT leaf_index, commitment FROM audit_leaf WHERE leaf_index = ANY($1)',
      [indices],
    );
    if (leaves.length < indices.length) throw new LogInconsistent('a leaf is gone');
    for (const { leaf_index, commitment } of leaves) {
      const index = Number(leaf_index);
      const path = await readRoots(tx, inclusionPath(index, size));
      if (!verifyInclusion(index, size, leafHash(commitment), path, root)) {
        throw new LogInconsistent('a leaf is not in the signed tree');
      }
    }
  }
}
