import type { IncidentId } from '#platform/ids';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource, type EntityManager } from 'typeorm';
import type { AffectedView, DutyView, EntryView, IncidentView, TransitionView } from './incident.js';
import { IncidentNotFound } from './incidents.errors.js';
import { dutyState } from './internal/duties.js';
import { IncidentEntry } from './internal/incident-entry.entity.js';
import { Incident, showIncident } from './internal/incident.entity.js';

export interface IncidentDetails extends IncidentView {
  readonly subjects: number;
  readonly duties: readonly DutyView[];
  readonly entries: readonly EntryView[];
  readonly transitions: readonly TransitionView[];
  readonly affected: readonly AffectedView[];
}

export class FindIncident extends Query<IncidentDetails> {
  constructor(readonly incidentId: IncidentId) {
    super();
  }
}

@QueryHandler(FindIncident)
export class FindIncidentHandler implements IQueryHandler<FindIncident> {
  constructor(private readonly db: DataSource) {}

  async execute({ incidentId: id }: FindIncident): Promise<IncidentDetails> {
    const tx = this.db.manager;
    const incident = await tx.findOneBy(Incident, { id });
    if (incident === null) throw new IncidentNotFound();
    const entries = await tx.find(IncidentEntry, { where: { incidentId: id }, order: { id: 'ASC' } });
    const transitions = await tx.query<TransitionView[]>(
      'SELECT step, state, breach, risk, at FROM incident_transition WHERE incident_id = $1 ORDER BY id',
      [id],
    );
    const affected = await tx.query<AffectedView[]>(
      'SELECT id, filter, found, added, at FROM incident_query WHERE incident_id = $1 ORDER BY id',
      [id],
    );
    return {
      ...showIncident(incident),
      subjects: affected.reduce((sum, { added }) => sum + added, 0),
      duties: await dutiesOfIncident(tx, id),
      entries: entries.map(({ id: entryId, kind, language, text, at }) => ({
        id: entryId,
        kind,
        language,
        text,
        at,
      })),
      transitions,
      affected,
    };
  }
}

type DutyRow = Omit<DutyView, 'state' | 'secondsLeft'> & { readonly required: boolean };

async function dutiesOfIncident(tx: EntityManager, id: IncidentId): Promise<DutyView[]> {
  const now = new Date();
  const rows = await tx.query<DutyRow[]>(
    `SELECT id, jurisdiction, duty, addressee, revision, source, required, reference,
            due_at AS "dueAt", met_at AS "metAt"
     FROM incident_duty WHERE incident_id = $1 ORDER BY due_at, jurisdiction, duty`,
    [id],
  );
  return rows.map(({ required, ...duty }) => {
    const state = dutyState({ required, ...duty }, now);
    const open = state === 'due' || state === 'overdue';
    const secondsLeft = open ? Math.trunc((duty.dueAt.getTime() - now.getTime()) / 1_000) : null;
    return { ...duty, state, secondsLeft };
  });
}
