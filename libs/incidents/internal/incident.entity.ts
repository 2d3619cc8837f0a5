import { encryptedText } from '#platform/encrypted-column';
import type { IncidentId } from '#platform/ids';
import type { BreachRisk } from '#policy/breach-rules';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { Detector, IncidentKind, IncidentState, IncidentView, Severity } from '../incident.js';

@Entity('incident')
export class Incident {
  @PrimaryColumn('uuid')
  id: IncidentId;

  @Column('text')
  kind: IncidentKind;

  @Column('text')
  severity: Severity;

  @Column('text')
  state: IncidentState;

  @Column('bytea', { transformer: encryptedText('incident.title') })
  title: string;

  @Column('bytea', { transformer: encryptedText('incident.description') })
  description: string;

  @Column('timestamptz', { name: 'occurred_from', nullable: true })
  occurredFrom: Date | null;

  @Column('timestamptz', { name: 'occurred_to', nullable: true })
  occurredTo: Date | null;

  @Column('timestamptz', { name: 'known_at' })
  knownAt: Date;

  @Column('boolean', { nullable: true })
  breach: boolean | null;

  @Column('text', { nullable: true })
  risk: BreachRisk | null;

  @Column('timestamptz', { name: 'opened_at', default: () => 'now()' })
  openedAt: Date;

  @Column('text', { nullable: true })
  detector: Detector | null;

  @Column('text', { nullable: true })
  cause: string | null;

  @Column('date', { name: 'found_on', nullable: true })
  foundOn: string | null;

  /** The place in the audit log of the last entry that its detector had counted. */
  @Column('bigint', { name: 'counted_to', nullable: true })
  countedTo: string | null;
}

export function showIncident(incident: Incident): IncidentView {
  const { id, title, description, kind, severity, state, breach, risk } = incident;
  const { occurredFrom, occurredTo, knownAt, openedAt, detector, cause } = incident;
  const times = { occurredFrom, occurredTo, knownAt, openedAt };
  return { id, title, description, kind, severity, state, breach, risk, ...times, detector, cause };
}
