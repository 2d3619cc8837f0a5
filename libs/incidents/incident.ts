import type { ClientId, IncidentDutyId, IncidentId, IncidentQueryId, SubjectId } from '#platform/ids';
import type { BreachRisk } from '#policy/breach-rules';

/** GDPR Art. 4(12), unavailability, and what is only suspected. */
export const INCIDENT_KINDS = [
  'access',
  'disclosure',
  'alteration',
  'loss',
  'destruction',
  'unavailability',
  'suspicion',
] as const;
export type IncidentKind = (typeof INCIDENT_KINDS)[number];

export const SEVERITIES = ['low', 'medium', 'high', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

export const INCIDENT_STATES = ['open', 'assessed', 'contained', 'closed'] as const;
export type IncidentState = (typeof INCIDENT_STATES)[number];

export const CLOSURES = ['handled', 'false_alarm'] as const;
export type Closure = (typeof CLOSURES)[number];

/** What GDPR Art. 33(3) and 34(2) and DPDP rule 7 ask for, and `action`, which is told to nobody. */
export const ENTRY_KINDS = [
  'action',
  'facts',
  'location',
  'consequences',
  'measures',
  'remedies',
  'findings',
  'advice',
  'contact',
] as const;
export type EntryKind = (typeof ENTRY_KINDS)[number];

export const DUTIES = ['authority_first', 'authority_detailed', 'persons'] as const;
export type Duty = (typeof DUTIES)[number];

export const DUTY_STATES = ['due', 'overdue', 'met', 'met_late', 'not_required'] as const;
export type DutyState = (typeof DUTY_STATES)[number];

/** How far the notice to a person has come; `handed_over`: the client has it. */
export const NOTICE_STATES = ['pending', 'handed_over', 'delivered', 'failed'] as const;
export type NoticeState = (typeof NOTICE_STATES)[number];

export const CHANNELS = ['email', 'sms', 'push', 'letter', 'telephone', 'in_person', 'other'] as const;
export type Channel = (typeof CHANNELS)[number];

export const DETECTORS = [
  'repeated_refusals',
  'unusual_rate',
  'unaudited_openings',
  'audit_check_failed',
  'binding_broken',
] as const;
export type Detector = (typeof DETECTORS)[number];

/** Whether personal data was breached, and what that means for the persons. */
export interface Assessment {
  readonly breach: boolean;
  readonly risk: BreachRisk;
}

export interface IncidentView {
  readonly id: IncidentId;
  readonly title: string;
  readonly description: string;
  readonly kind: IncidentKind;
  readonly severity: Severity;
  readonly state: IncidentState;
  readonly breach: boolean | null;
  readonly risk: BreachRisk | null;
  readonly occurredFrom: Date | null;
  readonly occurredTo: Date | null;
  readonly knownAt: Date;
  readonly openedAt: Date;
  readonly detector: Detector | null;
  /** What the detector found: a client, a gallery, the hash of an address. */
  readonly cause: string | null;
}

export interface DutyView {
  readonly id: IncidentDutyId;
  readonly jurisdiction: string;
  readonly duty: Duty;
  readonly addressee: string;
  readonly state: DutyState;
  readonly dueAt: Date;
  /** Negative once overdue; null where nothing is left to do. */
  readonly secondsLeft: number | null;
  /** Of the policy that the date was counted by. */
  readonly revision: number;
  readonly source: string;
  readonly metAt: Date | null;
  readonly reference: string | null;
}

export interface EntryView {
  readonly id: string;
  readonly kind: EntryKind;
  readonly language: string;
  readonly text: string;
  readonly at: Date;
}

export interface TransitionView {
  readonly step: string;
  readonly state: IncidentState;
  readonly breach: boolean | null;
  readonly risk: BreachRisk | null;
  readonly at: Date;
}

export interface AffectedView {
  readonly id: IncidentQueryId;
  readonly filter: object;
  readonly found: number;
  /** Who were not among the affected before. */
  readonly added: number;
  readonly at: Date;
}

/** How far the notice to an affected subject has come. */
export interface DeliveryRow {
  readonly subjectId: SubjectId;
  readonly clientId: ClientId;
  readonly jurisdiction: string;
  readonly state: NoticeState;
  readonly releasedAt: Date | null;
  readonly handedAt: Date | null;
  /** When the client delivered it, or gave up. */
  readonly endedAt: Date | null;
  readonly channel: Channel | null;
}
