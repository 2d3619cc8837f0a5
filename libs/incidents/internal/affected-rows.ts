import type { IncidentId } from '#platform/ids';
import type { EntityManager } from 'typeorm';
import type { DeliveryRow, NoticeState } from '../incident.js';

/** Affected subjects in the order of their ids. */
export function affectedRows(
  tx: EntityManager,
  incidentId: IncidentId,
  after: string | null,
  limit: number,
  state?: NoticeState,
): Promise<DeliveryRow[]> {
  return tx.query(
    `SELECT subject_id AS "subjectId", client_id AS "clientId", jurisdiction, state, released_at AS "releasedAt",
            handed_at AS "handedAt", ended_at AS "endedAt", channel
     FROM incident_subject
     WHERE incident_id = $1 AND ($2::uuid IS NULL OR subject_id > $2) AND ($4::text IS NULL OR state = $4)
     ORDER BY subject_id LIMIT $3`,
    [incidentId, after, limit, state ?? null],
  );
}
