import type { ClientId, GalleryId, SubjectId } from '#platform/ids';
import { Cursors, type Page, type PageRequest } from '#platform/page';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import type { AuditEventType, AuditOutcome } from './audit-event-types.js';
import { AuditEvent } from './internal/audit-event.entity.js';

export interface AuditEventFilter {
  readonly type?: AuditEventType;
  readonly outcome?: AuditOutcome;
  readonly clientId?: ClientId;
  readonly subjectId?: SubjectId;
  readonly galleryId?: GalleryId;
  readonly from?: Date;
  readonly to?: Date;
}

export type AuditEventView = Readonly<AuditEvent>;

/** Newest first. Officers see the events of every client of the installation. */
export class ListAuditEvents extends Query<Page<AuditEventView>> {
  constructor(
    readonly filter: AuditEventFilter,
    readonly page: PageRequest,
  ) {
    super();
  }
}

@QueryHandler(ListAuditEvents)
export class ListAuditEventsHandler implements IQueryHandler<ListAuditEvents> {
  constructor(
    private readonly db: DataSource,
    private readonly cursors: Cursors,
  ) {}

  async execute({ filter, page }: ListAuditEvents): Promise<Page<AuditEventView>> {
    const query = this.db
      .createQueryBuilder(AuditEvent, 'event')
      .orderBy('event.id', 'DESC')
      .take(page.limit + 1);
    const { from, to, ...equal } = filter;
    for (const [member, value] of Object.entries(equal)) {
      if (value !== undefined) query.andWhere(`event.${member} = :${member}`, { [member]: value });
    }
    if (from !== undefined) query.andWhere('event.at >= :from', { from });
    if (to !== undefined) query.andWhere('event.at < :to', { to });
    if (page.cursor !== undefined) {
      query.andWhere('event.id < :before', { before: this.cursors.decode('audit-events', page.cursor) });
    }
    return this.cursors.page('audit-events', page, await query.getMany(), (event) => event);
  }
}
