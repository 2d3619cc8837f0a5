import type { IncidentId } from '#platform/ids';
import { Cursors, type Page, type PageRequest } from '#platform/page';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import type { DeliveryRow, NoticeState } from './incident.js';
import { IncidentNotFound } from './incidents.errors.js';
import { affectedRows } from './internal/affected-rows.js';

export interface DeliveryReport extends Page<DeliveryRow> {
  readonly pending: number;
  readonly handedOver: number;
  readonly delivered: number;
  readonly failed: number;
}

/** How far the notices to the affected persons have come. */
export class ReportDelivery extends Query<DeliveryReport> {
  constructor(
    readonly incidentId: IncidentId,
    readonly state: NoticeState | undefined,
    readonly page: PageRequest,
  ) {
    super();
  }
}

@QueryHandler(ReportDelivery)
export class ReportDeliveryHandler implements IQueryHandler<ReportDelivery> {
  constructor(
    private readonly db: DataSource,
    private readonly cursors: Cursors,
  ) {}

  async execute({ incidentId, state, page }: ReportDelivery): Promise<DeliveryReport> {
    const tx = this.db.manager;
    const [incident] = await tx.query<unknown[]>('SELECT FROM incident WHERE id = $1', [incidentId]);
    if (incident === undefined) throw new IncidentNotFound();
    const counts = await tx.query<{ state: NoticeState; n: number }[]>(
      'SELECT state, count(*)::int AS n FROM incident_subject WHERE incident_id = $1 GROUP BY state',
      [incidentId],
    );
    const countOf = (wanted: NoticeState): number => counts.find((count) => count.state === wanted)?.n ?? 0;
    const list = `delivery ${incidentId}`;
    const after = page.cursor === undefined ? null : this.cursors.decode(list, page.cursor);
    const rows = await affectedRows(tx, incidentId, after, page.limit + 1, state);
    return {
      pending: countOf('pending'),
      handedOver: countOf('handed_over'),
      delivered: countOf('delivered'),
      failed: countOf('failed'),
      ...this.cursors.page(
        list,
        page,
        rows.map((row) => ({ id: row.subjectId, row })),
        ({ row }) => row,
      ),
    };
  }
}
