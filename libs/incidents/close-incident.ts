import type { IncidentId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { EntityManager } from 'typeorm';
import type { Closure } from './incident.js';
import { IncidentDutiesOpen } from './incidents.errors.js';
import { IncidentLedger } from './internal/incident-ledger.js';

export class CloseIncident extends Command<void> {
  constructor(
    readonly incidentId: IncidentId,
    readonly as: Closure,
  ) {
    super();
  }
}

@CommandHandler(CloseIncident)
export class CloseIncidentHandler implements ICommandHandler<CloseIncident> {
  constructor(private readonly ledger: IncidentLedger) {}

  execute({ incidentId, as }: CloseIncident): Promise<void> {
    const check = as === 'handled' ? requireDutiesMet : withoutDuties;
    return this.ledger.take(incidentId, { kind: 'close', as }, (tx) => check(tx, incidentId));
  }
}

async function requireDutiesMet(tx: EntityManager, incidentId: IncidentId): Promise<void> {
  const unmet = await tx.query<unknown[]>(
    'SELECT FROM incident_duty WHERE incident_id = $1 AND required AND met_at IS NULL LIMIT 1',
    [incidentId],
  );
  if (unmet.length > 0) throw new IncidentDutiesOpen();
}

/** Of a false alarm nobody has to be told. */
async function withoutDuties(tx: EntityManager, incidentId: IncidentId): Promise<void> {
  await tx.query('UPDATE incident_duty SET required = false WHERE incident_id = $1', [incidentId]);
}
