import type { ClientId, SubjectId } from '#platform/ids';
import { Cursors, type Page, type PageRequest } from '#platform/page';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { SubjectReferences } from './internal/subject-references.js';
import { Subject } from './internal/subject.entity.js';
import { type SubjectView, showSubject } from './find-subject.js';

/** The client's subjects, oldest first; with `reference`, the one that has it. */
export class ListSubjects extends Query<Page<SubjectView>> {
  constructor(
    readonly clientId: ClientId,
    readonly reference: string | undefined,
    readonly page: PageRequest,
  ) {
    super();
  }
}

@QueryHandler(ListSubjects)
export class ListSubjectsHandler implements IQueryHandler<ListSubjects> {
  constructor(
    private readonly db: DataSource,
    private readonly cursors: Cursors,
    private readonly references: SubjectReferences,
  ) {}

  async execute({ clientId, reference, page }: ListSubjects): Promise<Page<SubjectView>> {
    const query = this.db
      .createQueryBuilder(Subject, 'subject')
      .where('subject.clientId = :clientId AND subject.erasedAt IS NULL', { clientId })
      .orderBy('subject.id')
      .take(page.limit + 1);
    if (reference !== undefined) {
      query.andWhere('subject.referenceIndex = :index', {
        index: this.references.index(clientId, reference),
      });
    }
    if (page.cursor !== undefined) {
      const after: SubjectId | string = this.cursors.decode(`subjects ${clientId}`, page.cursor);
      query.andWhere('subject.id > :after', { after });
    }
    return this.cursors.page(`subjects ${clientId}`, page, await query.getMany(), showSubject);
  }
}
