import type { IncidentId } from '#platform/ids';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { IncidentNotFound } from './incidents.errors.js';
import { affectedRows } from './internal/affected-rows.js';

const AT_ONCE = 5_000;

/** The whole delivery report as CSV (RFC 4180), part by part. */
export class ExportDelivery extends Query<AsyncIterable<string>> {
  constructor(readonly incidentId: IncidentId) {
    super();
  }
}

@QueryHandler(ExportDelivery)
export class ExportDeliveryHandler implements IQueryHandler<ExportDelivery> {
  constructor(private readonly db: DataSource) {}

  async execute({ incidentId }: ExportDelivery): Promise<AsyncIterable<string>> {
    const [incident] = await this.db.query<unknown[]>('SELECT FROM incident WHERE id = $1', [incidentId]);
    if (incident === undefined) throw new IncidentNotFound();
    return this.parts(incidentId);
  }

  private async *parts(incidentId: IncidentId): AsyncIterable<string> {
    yield 'subject_id,client_id,jurisdiction,state,released_at,handed_at,ended_at,channel\r\n';
    for (let after: string | null = null; ;) {
      const rows = await affectedRows(this.db.manager, incidentId, after, AT_ONCE);
      // Ids, codes, names of choices and times: none of them ever needs quoting.
      yield rows
        .map(({ subjectId, clientId, jurisdiction, state, releasedAt, handedAt, endedAt, channel }) =>
          [
            subjectId,
            clientId,
            jurisdiction,
            state,
            ...[releasedAt, handedAt, endedAt].map((time) => time?.toISOString() ?? ''),
            `${channel ?? ''}\r\n`,
          ].join(),
        )
        .join('');
      const last = rows.at(-1);
      if (last === undefined || rows.length < AT_ONCE) return;
      after = last.subjectId;
    }
  }
}
