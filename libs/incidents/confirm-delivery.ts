import { AuditLog } from '#audit/audit-log';
import type { ClientId, IncidentId, SubjectId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource, type EntityManager } from 'typeorm';
import type { Channel } from './incident.js';
import { AffectedSubjectUnknown, IncidentNotFound, IncidentTimesInvalid } from './incidents.errors.js';

export interface Delivery {
  readonly subjectId: SubjectId;
  readonly outcome: 'delivered' | 'failed';
  readonly at: Date;
  readonly channel: Channel;
}

/** By which a client's clock may be ahead. */
const CLOCK_SKEW_MS = 300_000;

/** What a client says of the notices that it had to deliver. Who was told stays told, whatever is said later. */
export class ConfirmDelivery extends Command<void> {
  constructor(
    readonly clientId: ClientId,
    readonly incidentId: IncidentId,
    readonly deliveries: readonly Delivery[],
  ) {
    super();
  }
}

@CommandHandler(ConfirmDelivery)
export class ConfirmDeliveryHandler implements ICommandHandler<ConfirmDelivery> {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
  ) {}

  async execute({ clientId, incidentId, deliveries }: ConfirmDelivery): Promise<void> {
    await this.db.transaction(async (tx) => {
      const knownAt = await holdReleased(tx, clientId, incidentId, deliveries);
      const latest = new Date(Date.now() + CLOCK_SKEW_MS);
      if (deliveries.some(({ at }) => at > latest || at < knownAt)) throw new IncidentTimesInvalid();
      const [changed] = await tx.query<[{ state: string }[], number]>(
        `UPDATE incident_subject s SET state = n.outcome, ended_at = n.at, channel = n.channel
         FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[]) AS n (subject_id, outcome, at, channel)
         WHERE s.incident_id = $5 AND s.client_id = $6 AND s.subject_id = n.subject_id AND s.state <> 'delivered'
         RETURNING s.state`,
        [
          deliveries.map(({ subjectId }) => subjectId),
          deliveries.map(({ outcome }) => outcome),
          deliveries.map(({ at }) => at),
          deliveries.map(({ channel }) => channel),
          incidentId,
          clientId,
        ],
      );
      const delivered = changed.filter(({ state }) => state === 'delivered').length;
      const details = { incidentId, delivered, failed: changed.length - delivered };
      await this.audit.append(tx, {
        type: 'incident.notices_delivered',
        outcome: 'ok',
        clientId,
        details,
      });
    });
  }
}

/** Answers since when the incident is known. */
async function holdReleased(
  tx: EntityManager,
  clientId: ClientId,
  incidentId: IncidentId,
  deliveries: readonly Delivery[],
): Promise<Date> {
  const [incident] = await tx.query<{ known_at: Date }[]>(
    `SELECT known_at FROM incident WHERE id = $2 AND EXISTS (
       SELECT FROM incident_subject WHERE client_id = $1 AND incident_id = $2 AND released_at IS NOT NULL)`,
    [clientId, incidentId],
  );
  if (incident === undefined) throw new IncidentNotFound();
  const released = await tx.query<unknown[]>(
    `SELECT FROM incident_subject
     WHERE client_id = $1 AND incident_id = $2 AND subject_id = ANY($3) AND released_at IS NOT NULL
     ORDER BY subject_id FOR UPDATE`,
    [clientId, incidentId, deliveries.map(({ subjectId }) => subjectId)],
  );
  if (released.length < deliveries.length) throw new AffectedSubjectUnknown();
  return incident.known_at;
}
