import { AuditLog } from '#audit/audit-log';
import { type Created, Idempotency, type IdempotentRequest } from '#platform/idempotency';
import { type IncidentId, type IncidentQueryId, newId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { EntityManager } from 'typeorm';
import { AffectedQueryNotFound } from './incidents.errors.js';
import { type AffectedFilter, affectedQuery } from './internal/affected-filter.js';
import { IncidentLedger } from './internal/incident-ledger.js';

/**
 * Adds whom a filter finds, or whom an earlier query finds now, to the affected. They stay it, whatever becomes of them;
 * the clocks of their jurisdictions begin.
 */
export class AddAffected extends Command<Created<'incident-query'>> {
  constructor(
    readonly incidentId: IncidentId,
    readonly whom: AffectedFilter | { readonly again: IncidentQueryId },
    readonly idempotency?: IdempotentRequest,
  ) {
    super();
  }
}

@CommandHandler(AddAffected)
export class AddAffectedHandler implements ICommandHandler<AddAffected> {
  constructor(
    private readonly idempotency: Idempotency,
    private readonly ledger: IncidentLedger,
    private readonly audit: AuditLog,
  ) {}

  execute({ incidentId, whom, idempotency }: AddAffected): Promise<Created<'incident-query'>> {
    return this.idempotency.transaction(idempotency, async (tx) => {
      const incident = await this.ledger.holdUnclosed(tx, incidentId);
      const filter = 'again' in whom ? await earlierFilter(tx, incidentId, whom.again) : whom;
      const { found, added, jurisdictions } = await freeze(tx, incidentId, filter);
      const duties = await this.ledger.startClocks(tx, incident, jurisdictions);
      const id = newId<'incident-query'>();
      await tx.query(
        'INSERT INTO incident_query (id, incident_id, filter, found, added) VALUES ($1, $2, $3, $4, $5)',
        [id, incidentId, JSON.stringify(filter), found, added],
      );
      const details = { incidentId, queryId: id, found, added, duties };
      await this.audit.append(tx, { type: 'incident.subjects_added', outcome: 'ok', details });
      return { id };
    });
  }
}

async function earlierFilter(
  tx: EntityManager,
  incidentId: IncidentId,
  id: IncidentQueryId,
): Promise<AffectedFilter> {
  const [row] = await tx.query<{ filter: AffectedFilter }[]>(
    'SELECT filter FROM incident_query WHERE id = $1 AND incident_id = $2',
    [id, incidentId],
  );
  if (row === undefined) throw new AffectedQueryNotFound();
  const { enrolledFrom, enrolledTo, matchedFrom, matchedTo, ...same } = row.filter;
  // JSON has no dates.
  return {
    ...same,
    ...(enrolledFrom && { enrolledFrom: new Date(enrolledFrom) }),
    ...(enrolledTo && { enrolledTo: new Date(enrolledTo) }),
    ...(matchedFrom && { matchedFrom: new Date(matchedFrom) }),
    ...(matchedTo && { matchedTo: new Date(matchedTo) }),
  };
}

/** In one statement: the subjects never leave the database. */
async function freeze(
  tx: EntityManager,
  incidentId: IncidentId,
  filter: AffectedFilter,
): Promise<{ found: number; added: number; jurisdictions: readonly string[] }> {
  const { where, values } = affectedQuery(filter);
  const [counts] = await tx.query<{ found: number; added: number; jurisdictions: string[] }[]>(
    `WITH found AS MATERIALIZED (SELECT s.id, s.client_id, s.jurisdiction FROM subject s WHERE ${where}),
     added AS (
       INSERT INTO incident_subject (incident_id, subject_id, client_id, jurisdiction)
       SELECT $${values.length + 1}, id, client_id, jurisdiction FROM found ORDER BY id
       ON CONFLICT DO NOTHING RETURNING jurisdiction)
     SELECT (SELECT count(*)::int FROM found) AS found, (SELECT count(*)::int FROM added) AS added,
            ARRAY(SELECT DISTINCT jurisdiction FROM added ORDER BY 1) AS jurisdictions`,
    [...values, incidentId],
  );
  if (counts === undefined) throw new Error('the affected were not counted');
  return counts;
}
