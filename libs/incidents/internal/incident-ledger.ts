import { AuditLog } from '#audit/audit-log';
import type { AuditEventType } from '#audit/audit-event-types';
import { type IncidentId, newId } from '#platform/ids';
import { SealedValues } from '#platform/sealed-values';
import { Policies } from '#policy/policies';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { Assessment } from '../incident.js';
import { IncidentNotFound, IncidentStepRefused } from '../incidents.errors.js';
import { dutiesOf, isRequired } from './duties.js';
import { advance, type Step } from './incident-state.js';
import { Incident } from './incident.entity.js';

const EVENT_OF = {
  assess: 'incident.assessed',
  contain: 'incident.contained',
  close: 'incident.closed',
} as const satisfies Record<Step['kind'], AuditEventType>;

/** What the steps of an incident share: the row that is held, the transition, its duties and the audit record. */
@Injectable()
export class IncidentLedger {
  constructor(
    private readonly db: DataSource,
    private readonly policies: Policies,
    private readonly audit: AuditLog,
    values: SealedValues,
  ) {
    values.ownText('incident.title', db, () => 'incident.title');
    values.ownText('incident.description', db, () => 'incident.description');
    values.ownText('incident_entry.text', db, () => 'incident_entry.text');
    values.ownText('incident_notice.text', db, () => 'incident_notice.text');
  }

  /** Until `tx` ends nobody else takes a step; throws IncidentNotFound. */
  async hold(tx: EntityManager, id: IncidentId): Promise<Incident> {
    const incident = await tx.findOne(Incident, { where: { id }, lock: { mode: 'pessimistic_write' } });
    if (incident === null) throw new IncidentNotFound();
    return incident;
  }

  /** The same for what adds to an incident: one that is closed takes no more. */
  async holdUnclosed(tx: EntityManager, id: IncidentId): Promise<Incident> {
    const incident = await this.hold(tx, id);
    if (incident.state === 'closed') throw new IncidentStepRefused();
    return incident;
  }

  /** One step in a transaction of its own; `check` may refuse it. A refusal is recorded as well. */
  async take(
    id: IncidentId,
    step: Step,
    check: (tx: EntityManager) => Promise<void> = async () => undefined,
  ): Promise<void> {
    const details = { incidentId: id, ...choicesOf(step) };
    const event = { type: EVENT_OF[step.kind], details };
    await this.audit.recordingRefusals(event, () =>
      this.db.transaction(async (tx) => {
        const incident = await this.hold(tx, id);
        const next = advance({ state: incident.state, assessment: assessmentOf(incident) }, step);
        if (next === undefined) throw new IncidentStepRefused();
        await check(tx);
        const { state, assessment } = next;
        await tx.update(Incident, { id }, { state, ...assessment });
        if (step.kind === 'assess') {
          if (step.breach) await this.startSomeClocks(tx, { ...incident, ...assessment });
          await this.requireAnew(tx, id, assessment);
        }
        await this.note(tx, id, step.kind, { ...incident, state, ...assessment });
        await this.audit.append(tx, { ...event, outcome: 'ok' });
      }),
    );
  }

  /** The transition to what `incident` is now. */
  async note(
    tx: EntityManager,
    id: IncidentId,
    step: Step['kind'] | 'open',
    { state, breach, risk }: Pick<Incident, 'state' | 'breach' | 'risk'>,
  ): Promise<void> {
    await tx.query(
      'INSERT INTO incident_transition (id, incident_id, step, state, breach, risk) VALUES ($1, $2, $3, $4, $5, $6)',
      [newId(), id, step, state, breach, risk],
    );
  }

  /** Starts the clocks of jurisdictions that the incident did not concern before; answers how many duties are new. */
  async startClocks(
    tx: EntityManager,
    incident: Incident,
    jurisdictions: readonly string[],
  ): Promise<number> {
    let started = 0;
    for (const jurisdiction of jurisdictions) {
      const policy = await this.policies.current(tx, jurisdiction);
      for (const { duty, addressee, source, fromRisk, dueAt } of dutiesOf(policy, incident.knownAt)) {
        const rows = await tx.query<unknown[]>(
          `INSERT INTO incident_duty
             (id, incident_id, jurisdiction, duty, addressee, revision, source, from_risk, due_at, required)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING RETURNING id`,
          [
            newId(),
            incident.id,
            jurisdiction,
            duty,
            addressee,
            policy.revision,
            source,
            fromRisk,
            dueAt,
            isRequired(fromRisk, assessmentOf(incident)),
          ],
        );
        started += rows.length;
      }
    }
    return started;
  }

  /** A breach whose jurisdictions nobody has named concerns all that Velum knows people of: none passes without a clock. */
  private async startSomeClocks(tx: EntityManager, incident: Incident): Promise<void> {
    const jurisdictions = await tx.query<{ jurisdiction: string }[]>(
      `SELECT DISTINCT jurisdiction FROM subject
       WHERE NOT EXISTS (SELECT FROM incident_duty WHERE incident_id = $1) ORDER BY 1`,
      [incident.id],
    );
    await this.startClocks(
      tx,
      incident,
      jurisdictions.map(({ jurisdiction }) => jurisdiction),
    );
  }

  private async requireAnew(
    tx: EntityManager,
    id: IncidentId,
    assessment: Assessment | undefined,
  ): Promise<void> {
    const duties = await tx.query<{ id: string; from_risk: Assessment['risk'] }[]>(
      'SELECT id, from_risk FROM incident_duty WHERE incident_id = $1',
      [id],
    );
    await tx.query(
      `UPDATE incident_duty d SET required = n.required FROM unnest($1::uuid[], $2::boolean[]) AS n (id, required)
       WHERE d.id = n.id`,
      [duties.map((duty) => duty.id), duties.map(({ from_risk }) => isRequired(from_risk, assessment))],
    );
  }
}

export function assessmentOf({ breach, risk }: Pick<Incident, 'breach' | 'risk'>): Assessment | undefined {
  return breach === null || risk === null ? undefined : { breach, risk };
}

function choicesOf(step: Step): Record<string, string | boolean> {
  if (step.kind === 'assess') return { breach: step.breach, risk: step.risk };
  return step.kind === 'close' ? { as: step.as } : {};
}
