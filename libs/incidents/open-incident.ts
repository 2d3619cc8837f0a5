import { AuditLog } from '#audit/audit-log';
import { type Created, Idempotency, type IdempotentRequest } from '#platform/idempotency';
import { newId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { IncidentKind, Severity } from './incident.js';
import { IncidentTimesInvalid } from './incidents.errors.js';
import { IncidentLedger } from './internal/incident-ledger.js';
import { Incident } from './internal/incident.entity.js';

export interface NewIncident {
  readonly title: string;
  readonly description: string;
  readonly kind: IncidentKind;
  readonly severity: Severity;
  readonly occurredFrom?: Date;
  readonly occurredTo?: Date;
  /** From when the clocks count. */
  readonly knownAt: Date;
  /** Known to be concerned before any affected person is. */
  readonly jurisdictions?: readonly string[];
}

export class OpenIncident extends Command<Created<'incident'>> {
  constructor(
    readonly incident: NewIncident,
    readonly idempotency?: IdempotentRequest,
  ) {
    super();
  }
}

@CommandHandler(OpenIncident)
export class OpenIncidentHandler implements ICommandHandler<OpenIncident> {
  constructor(
    private readonly idempotency: Idempotency,
    private readonly ledger: IncidentLedger,
    private readonly audit: AuditLog,
  ) {}

  async execute({ incident: opened, idempotency }: OpenIncident): Promise<Created<'incident'>> {
    const { jurisdictions = [], occurredFrom = null, occurredTo = null, ...given } = opened;
    requirePossible(opened, new Date());
    return this.idempotency.transaction(idempotency, async (tx) => {
      const incident = tx.create(Incident, {
        id: newId<'incident'>(),
        state: 'open',
        breach: null,
        risk: null,
        occurredFrom,
        occurredTo,
        ...given,
      });
      await tx.insert(Incident, incident);
      await this.ledger.note(tx, incident.id, 'open', incident);
      const duties = await this.ledger.startClocks(tx, incident, jurisdictions);
      await this.audit.append(tx, {
        type: 'incident.opened',
        outcome: 'ok',
        details: { incidentId: incident.id, kind: given.kind, severity: given.severity, duties },
      });
      return { id: incident.id };
    });
  }
}

function requirePossible({ occurredFrom, occurredTo, knownAt }: NewIncident, now: Date): void {
  const given = [occurredFrom, occurredTo, knownAt].filter((time) => time !== undefined);
  const reversed = occurredFrom !== undefined && occurredTo !== undefined && occurredTo < occurredFrom;
  if (reversed || given.some((time) => time > now)) throw new IncidentTimesInvalid();
}
