import type { ClientId, SubjectId } from '#platform/ids';
import { Cursors, type Page, type PageRequest } from '#platform/page';
import type { Right } from '#policy/right-rules';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { type CaseState, OPEN_STATES } from './case-state.js';
import { type CaseView, showCase, shownTo } from './find-case.js';
import { RightsCase } from './internal/rights-case.entity.js';

export interface CaseFilter {
  readonly subjectId?: SubjectId;
  readonly kind?: Right;
  readonly state?: CaseState;
  readonly jurisdiction?: string;
  readonly dueBefore?: Date;
  /** Whether it is late and still open. */
  readonly overdue?: boolean;
}

/** Oldest first. `clientId`: whose they must be; undefined for officers. */
export class ListCases extends Query<Page<CaseView>> {
  constructor(
    readonly clientId: ClientId | undefined,
    readonly filter: CaseFilter,
    readonly page: PageRequest,
  ) {
    super();
  }
}

@QueryHandler(ListCases)
export class ListCasesHandler implements IQueryHandler<ListCases> {
  constructor(
    private readonly db: DataSource,
    private readonly cursors: Cursors,
  ) {}

  async execute({ clientId, filter, page }: ListCases): Promise<Page<CaseView>> {
    const list = `cases ${clientId ?? ''}`;
    const { dueBefore, overdue, ...equal } = filter;
    const query = this.db
      .createQueryBuilder(RightsCase, 'c')
      .orderBy('c.id')
      .take(page.limit + 1);
    for (const [member, value] of Object.entries({ ...equal, clientId })) {
      if (value !== undefined) query.andWhere(`c.${member} = :${member}`, { [member]: value });
    }
    if (dueBefore !== undefined) query.andWhere('c.dueAt < :dueBefore', { dueBefore });
    if (overdue !== undefined) {
      const late = 'c.dueAt <= now() AND c.state IN (:...open)';
      query.andWhere(overdue ? late : `NOT (${late})`, { open: OPEN_STATES });
    }
    if (page.cursor !== undefined) {
      query.andWhere('c.id > :after', { after: this.cursors.decode(list, page.cursor) });
    }
    const found = this.cursors.page(list, page, await query.getMany(), showCase);
    return { ...found, items: await shownTo(this.db, clientId, found.items) };
  }
}
