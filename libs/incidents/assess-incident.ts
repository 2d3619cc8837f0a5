import type { IncidentId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Assessment } from './incident.js';
import { IncidentLedger } from './internal/incident-ledger.js';

/** Says whether personal data was breached and what that means for the persons: which duties apply follows from it. */
export class AssessIncident extends Command<void> {
  constructor(
    readonly incidentId: IncidentId,
    readonly assessment: Assessment,
  ) {
    super();
  }
}

@CommandHandler(AssessIncident)
export class AssessIncidentHandler implements ICommandHandler<AssessIncident> {
  constructor(private readonly ledger: IncidentLedger) {}

  execute({ incidentId, assessment }: AssessIncident): Promise<void> {
    return this.ledger.take(incidentId, { kind: 'assess', ...assessment });
  }
}
