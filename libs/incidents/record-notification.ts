import { AuditLog } from '#audit/audit-log';
import type { IncidentDutyId, IncidentId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { DutyAlreadyMet, DutyNotFound, IncidentTimesInvalid } from './incidents.errors.js';
import { IncidentLedger } from './internal/incident-ledger.js';

/** That whom a duty names was told: when, and what the authority calls it. */
export class RecordNotification extends Command<void> {
  constructor(
    readonly incidentId: IncidentId,
    readonly dutyId: IncidentDutyId,
    readonly at: Date,
    readonly reference?: string,
  ) {
    super();
  }
}

@CommandHandler(RecordNotification)
export class RecordNotificationHandler implements ICommandHandler<RecordNotification> {
  constructor(
    private readonly db: DataSource,
    private readonly ledger: IncidentLedger,
    private readonly audit: AuditLog,
  ) {}

  async execute({ incidentId, dutyId, at, reference }: RecordNotification): Promise<void> {
    await this.db.transaction(async (tx) => {
      const { knownAt } = await this.ledger.holdUnclosed(tx, incidentId);
      if (at > new Date() || at < knownAt) throw new IncidentTimesInvalid();
      const [duty] = await tx.query<{ jurisdiction: string; duty: string; met_at: Date | null }[]>(
        'SELECT jurisdiction, duty, met_at FROM incident_duty WHERE id = $1 AND incident_id = $2',
        [dutyId, incidentId],
      );
      if (duty === undefined) throw new DutyNotFound();
      if (duty.met_at !== null) throw new DutyAlreadyMet();
      await tx.query('UPDATE incident_duty SET met_at = $2, reference = $3 WHERE id = $1', [
        dutyId,
        at,
        reference ?? null,
      ]);
      await this.audit.append(tx, {
        type: 'incident.duty_met',
        outcome: 'ok',
        details: {
          incidentId,
          dutyId,
          jurisdiction: duty.jurisdiction,
          duty: duty.duty,
          at: at.toISOString(),
        },
      });
    });
  }
}
