import { AuditLog } from '#audit/audit-log';
import { newId } from '#platform/ids';
import { SECURITY_LOG } from '#platform/logging';
import { Injectable, Logger } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { Detector, IncidentKind, Severity } from '../incident.js';
import type { Finding } from './detectors.js';
import { IncidentLedger } from './incident-ledger.js';
import { Incident } from './incident.entity.js';

interface Suggestion {
  readonly title: string;
  readonly kind: IncidentKind;
  readonly severity: Severity;
}

const SUGGESTIONS: Readonly<Record<Detector, Suggestion>> = {
  repeated_refusals: { title: 'Repeated refusals', kind: 'suspicion', severity: 'medium' },
  unusual_rate: { title: 'Comparisons at an unusual rate', kind: 'suspicion', severity: 'medium' },
  unaudited_openings: {
    title: 'Faces were compared past the audit log',
    kind: 'suspicion',
    severity: 'high',
  },
  audit_check_failed: { title: 'The audit log failed its check', kind: 'alteration', severity: 'critical' },
  binding_broken: {
    title: 'Templates are not bound to their consents',
    kind: 'alteration',
    severity: 'high',
  },
};

/** Opens incidents for what detectors find. */
@Injectable()
export class IncidentAlarm {
  private readonly logger = new Logger(SECURITY_LOG);

  constructor(
    private readonly db: DataSource,
    private readonly ledger: IncidentLedger,
    private readonly audit: AuditLog,
  ) {}

  /** One incident for a cause, as long as it is not closed, and one for a day. Answers whether it is new. */
  async raise(finding: Finding, now: Date, said = ''): Promise<boolean> {
    const opened = await this.db.transaction((tx) => this.open(tx, finding, now, said));
    const { detector: code, count } = finding;
    if (opened) this.logger.warn({ message: 'a detector opened an incident', code, count });
    return opened;
  }

  private async open(tx: EntityManager, finding: Finding, now: Date, said: string): Promise<boolean> {
    const { detector, cause, count, from } = finding;
    const foundOn = now.toISOString().slice(0, 10);
    // Two workers would both find none.
    await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 5))', [`${detector} ${cause}`]);
    const [known] = await tx.query<unknown[]>(
      `SELECT FROM incident WHERE detector = $1 AND cause = $2 AND (state <> 'closed' OR found_on = $3)`,
      [detector, cause, foundOn],
    );
    if (known !== undefined) return false;
    const incident = tx.create(Incident, {
      id: newId<'incident'>(),
      ...SUGGESTIONS[detector],
      description: `${count} since ${from.toISOString()}: ${cause}. ${said}`.trim(),
      state: 'open',
      breach: null,
      risk: null,
      occurredFrom: from,
      occurredTo: null,
      knownAt: now,
      detector,
      cause,
      foundOn,
      countedTo: finding.countedTo ?? null,
    });
    await tx.insert(Incident, incident);
    await this.ledger.note(tx, incident.id, 'open', incident);
    const details = { incidentId: incident.id, detector, cause, count };
    await this.audit.append(tx, { type: 'incident.opened', outcome: 'ok', details });
    return true;
  }
}
