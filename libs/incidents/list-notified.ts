import type { ClientId, IncidentId } from '#platform/ids';
import { Cursors, type Page, type PageRequest } from '#platform/page';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

export interface NotifiedIncident {
  readonly id: IncidentId;
  readonly subjects: number;
  /** Of them, those whom the client has not confirmed to have told. */
  readonly open: number;
}

/** Incidents of which a client has persons to tell, newest first. */
export class ListNotified extends Query<Page<NotifiedIncident>> {
  constructor(
    readonly clientId: ClientId,
    readonly page: PageRequest,
  ) {
    super();
  }
}

@QueryHandler(ListNotified)
export class ListNotifiedHandler implements IQueryHandler<ListNotified> {
  constructor(
    private readonly db: DataSource,
    private readonly cursors: Cursors,
  ) {}

  async execute({ clientId, page }: ListNotified): Promise<Page<NotifiedIncident>> {
    const list = `notified ${clientId}`;
    const before = page.cursor === undefined ? null : this.cursors.decode(list, page.cursor);
    const rows = await this.db.query<NotifiedIncident[]>(
      `SELECT incident_id AS id, count(*)::int AS subjects,
              count(*) FILTER (WHERE state <> 'delivered')::int AS open
       FROM incident_subject
       WHERE client_id = $1 AND released_at IS NOT NULL AND ($2::uuid IS NULL OR incident_id < $2)
       GROUP BY incident_id ORDER BY incident_id DESC LIMIT $3`,
      [clientId, before, page.limit + 1],
    );
    return this.cursors.page(list, page, rows, (row) => row);
  }
}
