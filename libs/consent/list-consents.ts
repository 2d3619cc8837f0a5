import type { ClientId, SubjectId } from '#platform/ids';
import { Cursors, type Page, type PageRequest } from '#platform/page';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { type ConsentView, showConsent } from './find-consent.js';
import { standing } from './internal/consent-standing.js';
import { Consent } from './internal/consent.entity.js';

export class ListConsents extends Query<Page<ConsentView>> {
  constructor(
    readonly clientId: ClientId,
    readonly filter: { readonly subjectId?: SubjectId; readonly purpose?: string },
    readonly page: PageRequest,
  ) {
    super();
  }
}

@QueryHandler(ListConsents)
export class ListConsentsHandler implements IQueryHandler<ListConsents> {
  constructor(
    private readonly db: DataSource,
    private readonly cursors: Cursors,
  ) {}

  async execute({ clientId, filter, page }: ListConsents): Promise<Page<ConsentView>> {
    const query = this.db
      .createQueryBuilder(Consent, 'consent')
      .where('consent.clientId = :clientId', { clientId })
      .orderBy('consent.id')
      .take(page.limit + 1);
    if (filter.subjectId !== undefined) query.andWhere('consent.subjectId = :subjectId', filter);
    if (filter.purpose !== undefined) query.andWhere('consent.purpose = :purpose', filter);
    if (page.cursor !== undefined) {
      query.andWhere('consent.id > :after', {
        after: this.cursors.decode(`consents ${clientId}`, page.cursor),
      });
    }
    const consents = await standing(this.db.manager, await query.getMany());
    return this.cursors.page(`consents ${clientId}`, page, consents, showConsent);
  }
}
