import type { ConsentId, HoldId, SubjectId } from '#platform/ids';
import { Cursors, type Page, type PageRequest } from '#platform/page';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { HoldNotFound } from './retention.errors.js';

export interface HoldView {
  readonly id: HoldId;
  readonly subjectId: SubjectId;
  readonly consentId: ConsentId | null;
  readonly reason: string;
  readonly until: Date | null;
  readonly placedAt: Date;
  readonly releasedAt: Date | null;
}

const HOLD = `SELECT id, subject_id AS "subjectId", consent_id AS "consentId", reason, until,
  placed_at AS "placedAt", released_at AS "releasedAt" FROM legal_hold`;

/** Released ones included, oldest first. */
export class ListHolds extends Query<Page<HoldView>> {
  constructor(
    readonly subjectId: SubjectId | undefined,
    readonly page: PageRequest,
  ) {
    super();
  }
}

@QueryHandler(ListHolds)
export class ListHoldsHandler implements IQueryHandler<ListHolds> {
  constructor(
    private readonly db: DataSource,
    private readonly cursors: Cursors,
  ) {}

  async execute({ subjectId, page }: ListHolds): Promise<Page<HoldView>> {
    const after = page.cursor === undefined ? null : this.cursors.decode('holds', page.cursor);
    const rows = await this.db.query<HoldView[]>(
      `${HOLD} WHERE ($1::uuid IS NULL OR subject_id = $1) AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3`,
      [subjectId ?? null, after, page.limit + 1],
    );
    return this.cursors.page('holds', page, rows, (row) => row);
  }
}

export class FindHold extends Query<HoldView> {
  constructor(readonly holdId: HoldId) {
    super();
  }
}

@QueryHandler(FindHold)
export class FindHoldHandler implements IQueryHandler<FindHold> {
  constructor(private readonly db: DataSource) {}

  async execute({ holdId }: FindHold): Promise<HoldView> {
    const [hold] = await this.db.query<HoldView[]>(`${HOLD} WHERE id = $1`, [holdId]);
    if (hold === undefined) throw new HoldNotFound();
    return hold;
  }
}
