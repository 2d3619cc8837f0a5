import type { ClientId, NoticeId } from '#platform/ids';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { NoticeNotFound } from './consent.errors.js';
import { Notice } from './internal/notice.entity.js';
import { type NoticeView, showNotice } from './list-notices.js';

export class FindNotice extends Query<NoticeView> {
  constructor(
    readonly clientId: ClientId,
    readonly noticeId: NoticeId,
  ) {
    super();
  }
}

@QueryHandler(FindNotice)
export class FindNoticeHandler implements IQueryHandler<FindNotice> {
  constructor(private readonly db: DataSource) {}

  async execute({ clientId, noticeId }: FindNotice): Promise<NoticeView> {
    const notice = await this.db.manager.findOneBy(Notice, { id: noticeId, clientId });
    if (notice === null) throw new NoticeNotFound();
    return showNotice(notice);
  }
}
