import { AuditLog } from '#audit/audit-log';
import type { ClientId, IncidentId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

const AT_ONCE = 5_000;

/** Writes down what became of notices that went by webhook, before their deliveries are forgotten. Answers how many. */
export class NoteHandovers extends Command<number> {}

@CommandHandler(NoteHandovers)
export class NoteHandoversHandler implements ICommandHandler<NoteHandovers> {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
  ) {}

  async execute(): Promise<number> {
    let noted = 0;
    for (let taken = AT_ONCE; taken === AT_ONCE; noted += taken) taken = await this.noteSome();
    return noted;
  }

  private noteSome(): Promise<number> {
    return this.db.transaction(async (tx) => {
      const [rows] = await tx.query<
        [{ incidentId: IncidentId; clientId: ClientId; state: string }[], number]
      >(
        `UPDATE incident_subject s SET state = n.state, handed_at = n.handed_at
         FROM (
           SELECT p.incident_id, p.subject_id, d.handed_at,
                  CASE WHEN d.handed_at IS NULL THEN 'failed' ELSE 'handed_over' END AS state
           FROM incident_subject p CROSS JOIN LATERAL (
             SELECT min(w.ended_at) FILTER (WHERE w.state = 'delivered') AS handed_at,
                    bool_and(w.state = 'given_up') AS given_up
             FROM webhook_delivery w WHERE w.id = ANY (p.delivery_ids)) AS d
           WHERE p.state = 'pending' AND p.delivery_ids IS NOT NULL AND (d.handed_at IS NOT NULL OR d.given_up)
           ORDER BY p.incident_id, p.subject_id LIMIT ${AT_ONCE} FOR UPDATE OF p SKIP LOCKED) AS n
         WHERE s.incident_id = n.incident_id AND s.subject_id = n.subject_id
         RETURNING s.incident_id AS "incidentId", s.client_id AS "clientId", s.state`,
      );
      const groups = Map.groupBy(rows, ({ incidentId, clientId }) => `${incidentId} ${clientId}`);
      for (const [first, ...others] of groups.values()) {
        if (first === undefined) continue;
        const { incidentId, clientId } = first;
        const handed = [first, ...others].filter(({ state }) => state === 'handed_over').length;
        const details = { incidentId, handed, failed: others.length + 1 - handed };
        await this.audit.append(tx, {
          type: 'incident.notices_handed_over',
          outcome: 'ok',
          clientId,
          details,
        });
      }
      return rows.length;
    });
  }
}
