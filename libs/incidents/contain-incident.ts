import type { IncidentId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { IncidentLedger } from './internal/incident-ledger.js';

/** Says that it goes no further. */
export class ContainIncident extends Command<void> {
  constructor(readonly incidentId: IncidentId) {
    super();
  }
}

@CommandHandler(ContainIncident)
export class ContainIncidentHandler implements ICommandHandler<ContainIncident> {
  constructor(private readonly ledger: IncidentLedger) {}

  execute({ incidentId }: ContainIncident): Promise<void> {
    return this.ledger.take(incidentId, { kind: 'contain' });
  }
}
