import type { DuplicatePair } from '#biometrics/find-duplicates';
import { ListMatchable } from '#biometrics/list-matchable';
import { Injectable } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { type DuplicateGroup, duplicateGroups } from './duplicate-groups.js';
import type { JobRow } from './job-store.js';

@Injectable()
export class DuplicateResults {
  constructor(
    private readonly db: DataSource,
    private readonly queries: QueryBus,
  ) {}

  /** What a deduplication found, without whom may not be matched any more; nothing before it has ended. */
  async groups({ id, gallery_id, state }: JobRow): Promise<DuplicateGroup[]> {
    if (state !== 'ended') return [];
    const rows = await this.db.query<{ pairs: DuplicatePair[] }[]>(
      `SELECT result -> 'pairs' AS pairs FROM job_item
       WHERE job_id = $1 AND state = 'done' AND jsonb_array_length(result -> 'pairs') > 0 ORDER BY n`,
      [id],
    );
    const pairs = rows.flatMap((row) => row.pairs);
    const templates = new Set(pairs.flatMap(({ left, right }) => [left.templateId, right.templateId]));
    const kept = await this.queries.execute(new ListMatchable(gallery_id, [...templates]));
    return duplicateGroups(
      pairs.filter(({ left, right }) => kept.has(left.templateId) && kept.has(right.templateId)),
    );
  }
}
