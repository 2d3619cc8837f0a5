import type { OfficerId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { OfficerScope } from './officer-scopes.js';

const ACTIVE = 'enrolled_at IS NOT NULL AND disabled_at IS NULL';

/** For what must share a transaction with who may decide it. */
@Injectable()
export class OfficerDirectory {
  /** Which of these are active and have the scopes; until `tx` ends they stay so. */
  async holdAllowed(
    tx: EntityManager,
    officerIds: readonly OfficerId[],
    scopes: readonly OfficerScope[],
  ): Promise<ReadonlySet<OfficerId>> {
    const rows = await tx.query<{ id: OfficerId }[]>(
      `SELECT id FROM officer WHERE id = ANY($1) AND scopes @> $2 AND ${ACTIVE} ORDER BY id FOR SHARE`,
      [officerIds, scopes],
    );
    return new Set(rows.map(({ id }) => id));
  }

  async hasAny(tx: EntityManager): Promise<boolean> {
    const rows = await tx.query<unknown[]>(`SELECT FROM officer WHERE ${ACTIVE} LIMIT 1`);
    return rows.length > 0;
  }

  /** Whether there are two who could agree on what asks for these scopes. */
  async hasTwoAllowed(tx: EntityManager, scopes: readonly OfficerScope[]): Promise<boolean> {
    const rows = await tx.query<unknown[]>(`SELECT FROM officer WHERE scopes @> $1 AND ${ACTIVE} LIMIT 2`, [
      scopes,
    ]);
    return rows.length === 2;
  }
}
