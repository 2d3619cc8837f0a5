import type { ClientId, NoticeId } from '#platform/ids';
import { Cursors, type Page, type PageRequest } from '#platform/page';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { Notice } from './internal/notice.entity.js';
import type { NoticeItems } from './notice-items.js';

export interface NoticeView {
  readonly id: NoticeId;
  readonly purpose: string;
  readonly language: string;
  readonly version: number;
  readonly title: string;
  readonly text: string;
  readonly items: NoticeItems | null;
  readonly jurisdiction: string | null;
  readonly renewBy: Date | null;
  /** Of the version before it, hex. */
  readonly previousHash: string | null;
  readonly format: 1 | 2;
  /** Hex. */
  readonly hash: string;
  readonly createdAt: Date;
}

export class ListNotices extends Query<Page<NoticeView>> {
  constructor(
    readonly clientId: ClientId,
    readonly filter: { readonly purpose?: string; readonly language?: string },
    readonly page: PageRequest,
  ) {
    super();
  }
}

@QueryHandler(ListNotices)
export class ListNoticesHandler implements IQueryHandler<ListNotices> {
  constructor(
    private readonly db: DataSource,
    private readonly cursors: Cursors,
  ) {}

  async execute({ clientId, filter, page }: ListNotices): Promise<Page<NoticeView>> {
    const query = this.db
      .createQueryBuilder(Notice, 'notice')
      .where('notice.clientId = :clientId', { clientId })
      .orderBy('notice.id')
      .take(page.limit + 1);
    if (filter.purpose !== undefined) query.andWhere('notice.purpose = :purpose', filter);
    if (filter.language !== undefined) query.andWhere('notice.language = :language', filter);
    if (page.cursor !== undefined) {
      query.andWhere('notice.id > :after', {
        after: this.cursors.decode(`notices ${clientId}`, page.cursor),
      });
    }
    return this.cursors.page(`notices ${clientId}`, page, await query.getMany(), showNotice);
  }
}

export function showNotice(notice: Notice): NoticeView {
  const { id, purpose, language, version, title, text, items, jurisdiction, renewBy, format } = notice;
  const stored = { id, purpose, language, version, title, text, items, jurisdiction, renewBy, format };
  const previousHash = notice.previousHash?.toString('hex') ?? null;
  return { ...stored, previousHash, hash: notice.hash.toString('hex'), createdAt: notice.createdAt };
}
