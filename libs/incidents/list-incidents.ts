import { Cursors, type Page, type PageRequest } from '#platform/page';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import type { IncidentState, IncidentView } from './incident.js';
import { Incident, showIncident } from './internal/incident.entity.js';

/** Newest first. */
export class ListIncidents extends Query<Page<IncidentView>> {
  constructor(
    readonly state: IncidentState | undefined,
    readonly page: PageRequest,
  ) {
    super();
  }
}

@QueryHandler(ListIncidents)
export class ListIncidentsHandler implements IQueryHandler<ListIncidents> {
  constructor(
    private readonly db: DataSource,
    private readonly cursors: Cursors,
  ) {}

  async execute({ state, page }: ListIncidents): Promise<Page<IncidentView>> {
    const query = this.db
      .createQueryBuilder(Incident, 'incident')
      .orderBy('incident.id', 'DESC')
      .take(page.limit + 1);
    if (state !== undefined) query.andWhere('incident.state = :state', { state });
    if (page.cursor !== undefined) {
      query.andWhere('incident.id < :before', { before: this.cursors.decode('incidents', page.cursor) });
    }
    return this.cursors.page('incidents', page, await query.getMany(), showIncident);
  }
}
