import { AuditLog } from '#audit/audit-log';
import { type ClientId, type IncidentId, newId, type SubjectId } from '#platform/ids';
import { Policies } from '#policy/policies';
import { WebhookOutbox } from '#webhooks/webhook-outbox';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource, type EntityManager } from 'typeorm';
import { ENTRY_KINDS } from './incident.js';
import { IncidentStepRefused, NoticeIncomplete } from './incidents.errors.js';
import { IncidentLedger } from './internal/incident-ledger.js';
import { IncidentNotice } from './internal/incident-notice.entity.js';
import type { Incident } from './internal/incident.entity.js';
import { languagesOf, renderText } from './internal/notification-texts.js';
import { factsOf } from './internal/text-facts.js';

export interface Released {
  /** Persons whose notices the clients can now have. */
  readonly released: number;
  /** Of them, those of clients that have a webhook to be told by. */
  readonly inWebhooks: number;
}

const AT_ONCE = 5_000;

/**
 * Gives clients the notices to those of their subjects who have to be told and were not released before. Velum knows no
 * addresses: the clients deliver them.
 */
export class ReleaseNotices extends Command<Released> {
  constructor(readonly incidentId: IncidentId) {
    super();
  }
}

@CommandHandler(ReleaseNotices)
export class ReleaseNoticesHandler implements ICommandHandler<ReleaseNotices> {
  constructor(
    private readonly db: DataSource,
    private readonly ledger: IncidentLedger,
    private readonly policies: Policies,
    private readonly webhooks: WebhookOutbox,
    private readonly audit: AuditLog,
  ) {}

  execute({ incidentId }: ReleaseNotices): Promise<Released> {
    const event = { type: 'incident.notices_released', details: { incidentId } } as const;
    return this.audit.recordingRefusals(event, () =>
      this.db.transaction(async (tx) => {
        const incident = await this.ledger.holdUnclosed(tx, incidentId);
        if (incident.breach !== true) throw new IncidentStepRefused();
        const groups = await waitingGroups(tx, incidentId);
        const jurisdictions = [...new Set(groups.map(({ jurisdiction }) => jurisdiction))];
        for (const jurisdiction of jurisdictions) await this.keepTexts(tx, incident, jurisdiction);
        let [released, inWebhooks] = [0, 0];
        for (const { clientId, jurisdiction } of groups) {
          for (let taken = AT_ONCE; taken === AT_ONCE; released += taken) {
            const told = await this.release(tx, incidentId, clientId, jurisdiction);
            taken = told.subjects;
            inWebhooks += told.inWebhooks;
          }
        }
        const details = { incidentId, released, inWebhooks };
        await this.audit.append(tx, { ...event, outcome: 'ok', details });
        return { released, inWebhooks };
      }),
    );
  }

  private async keepTexts(tx: EntityManager, incident: Incident, jurisdiction: string): Promise<void> {
    const facts = await factsOf(tx, incident, await this.policies.current(tx, jurisdiction));
    for (const wanted of languagesOf(jurisdiction, 'persons')) {
      const { language, text, missing } = renderText(jurisdiction, 'persons', wanted, facts);
      const lacking = ENTRY_KINDS.filter((kind) => missing.includes(kind));
      if (lacking.length > 0) {
        throw new NoticeIncomplete(lacking.map((field) => ({ field, message: 'has no entry yet' })));
      }
      await tx.insert(IncidentNotice, { id: newId(), incidentId: incident.id, jurisdiction, language, text });
    }
  }

  private async release(
    tx: EntityManager,
    incidentId: IncidentId,
    clientId: ClientId,
    jurisdiction: string,
  ): Promise<{ subjects: number; inWebhooks: number }> {
    const rows = await tx.query<{ subject_id: SubjectId }[]>(
      `SELECT subject_id FROM incident_subject
       WHERE incident_id = $1 AND client_id = $2 AND jurisdiction = $3 AND released_at IS NULL
       ORDER BY subject_id LIMIT ${AT_ONCE}`,
      [incidentId, clientId, jurisdiction],
    );
    const at = new Date();
    const deliveries = await this.webhooks.announceEach(
      tx,
      clientId,
      rows.map(({ subject_id: subjectId }) => ({
        type: 'incident.notify_person',
        at,
        data: { incidentId, subjectId, jurisdiction },
      })),
    );
    await tx.query(
      `UPDATE incident_subject s SET released_at = $3, delivery_ids = nullif(n.ids, '{}')::uuid[]
       FROM unnest($1::uuid[], $2::text[]) AS n (subject_id, ids)
       WHERE s.incident_id = $4 AND s.subject_id = n.subject_id`,
      [rows.map(({ subject_id }) => subject_id), deliveries.map((ids) => `{${ids.join()}}`), at, incidentId],
    );
    return { subjects: rows.length, inWebhooks: deliveries.filter(({ length }) => length > 0).length };
  }
}

/** Who have to be told: of jurisdictions whose duty to tell persons applies. */
function waitingGroups(
  tx: EntityManager,
  incidentId: IncidentId,
): Promise<{ clientId: ClientId; jurisdiction: string }[]> {
  return tx.query(
    `SELECT DISTINCT s.client_id AS "clientId", s.jurisdiction FROM incident_subject s
     JOIN incident_duty d ON d.incident_id = s.incident_id AND d.jurisdiction = s.jurisdiction
       AND d.duty = 'persons' AND d.required
     WHERE s.incident_id = $1 AND s.released_at IS NULL ORDER BY 1, 2`,
    [incidentId],
  );
}
