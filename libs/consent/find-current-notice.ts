import type { ClientId, NoticeId } from '#platform/ids';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { NoticeLanguageMissing } from './consent.errors.js';
import { Notice } from './internal/notice.entity.js';
import { lookupLanguage } from './language-lookup.js';
import { type NoticeView, showNotice } from './list-notices.js';

/** The newest version of what persons read, in the first of `languages` that there is. */
export class FindCurrentNotice extends Query<NoticeView> {
  constructor(
    readonly clientId: ClientId,
    readonly purpose: string,
    /** Language ranges of RFC 4647, the preferred one first. */
    readonly languages: readonly string[],
    readonly jurisdiction?: string,
  ) {
    super();
  }
}

@QueryHandler(FindCurrentNotice)
export class FindCurrentNoticeHandler implements IQueryHandler<FindCurrentNotice> {
  constructor(private readonly db: DataSource) {}

  async execute({ clientId, purpose, languages, jurisdiction }: FindCurrentNotice): Promise<NoticeView> {
    const newest = await this.db.query<{ id: NoticeId; language: string }[]>(
      `SELECT DISTINCT ON (language) id, language FROM notice
       WHERE client_id = $1 AND purpose = $2 AND ($3::text IS NULL OR jurisdiction IS NULL OR jurisdiction = $3)
       ORDER BY language, version DESC`,
      [clientId, purpose, jurisdiction ?? null],
    );
    const byLanguage = new Map(newest.map(({ id, language }) => [language, id]));
    const found = lookupLanguage(languages, [...byLanguage.keys()]);
    const id = found === undefined ? undefined : byLanguage.get(found);
    if (id === undefined) throw new NoticeLanguageMissing();
    return showNotice(await this.db.manager.findOneByOrFail(Notice, { id }));
  }
}
