import {
  DETECTORS,
  DUTIES,
  DUTY_STATES,
  ENTRY_KINDS,
  INCIDENT_KINDS,
  INCIDENT_STATES,
  SEVERITIES,
} from '#incidents/incident';
import { BREACH_RISKS } from '#policy/breach-rules';
import { ApiProperty } from '@nestjs/swagger';
import { EXAMPLE } from '../../openapi/examples.js';

const nullableTime = { type: String, format: 'date-time', nullable: true } as const;

export class IncidentResponse {
  @ApiProperty({ format: 'uuid', example: EXAMPLE.incidentId })
  id: string;

  @ApiProperty({ example: 'A stolen laptop' })
  title: string;

  @ApiProperty({ example: 'A laptop with access to the gallery of the main gate was stolen.' })
  description: string;

  @ApiProperty({ enum: INCIDENT_KINDS, example: 'access' })
  kind: string;

  @ApiProperty({ enum: SEVERITIES, example: 'high' })
  severity: string;

  @ApiProperty({ enum: INCIDENT_STATES, example: 'open' })
  state: string;

  @ApiProperty({ type: Boolean, nullable: true, description: 'Null until it was assessed.', example: null })
  breach: boolean | null;

  @ApiProperty({ type: String, nullable: true, enum: BREACH_RISKS, example: null })
  risk: string | null;

  @ApiProperty({ ...nullableTime, example: EXAMPLE.time })
  occurredFrom: Date | null;

  @ApiProperty({ ...nullableTime, example: EXAMPLE.time })
  occurredTo: Date | null;

  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  knownAt: Date;

  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  openedAt: Date;

  @ApiProperty({
    type: String,
    nullable: true,
    enum: DETECTORS,
    description: 'Null if a person opened it.',
    example: null,
  })
  detector: string | null;

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'What the detector found: a client, a gallery, the hash of an address.',
    example: null,
  })
  cause: string | null;
}

class DutyResponse {
  @ApiProperty({ format: 'uuid', example: EXAMPLE.dutyId })
  id: string;

  @ApiProperty({ example: 'EU-GDPR' })
  jurisdiction: string;

  @ApiProperty({ enum: DUTIES, example: 'authority_first' })
  duty: string;

  @ApiProperty({ example: 'the supervisory authority' })
  addressee: string;

  @ApiProperty({ enum: DUTY_STATES, example: 'due' })
  state: string;

  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  dueAt: Date;

  @ApiProperty({
    type: 'integer',
    nullable: true,
    description: 'Negative once overdue; null where nothing is left to do.',
    example: 259_200,
  })
  secondsLeft: number | null;

  @ApiProperty({
    type: 'integer',
    description: 'Of the policy that the date was counted by.',
    example: 1,
  })
  revision: number;

  @ApiProperty({ description: 'Where the duty stands.', example: 'GDPR Art. 33(1)' })
  source: string;

  @ApiProperty({ ...nullableTime, example: null })
  metAt: Date | null;

  @ApiProperty({ type: String, nullable: true, example: null })
  reference: string | null;
}

class EntryResponse {
  @ApiProperty({ format: 'uuid', example: EXAMPLE.requestId })
  id: string;

  @ApiProperty({ enum: ENTRY_KINDS, example: 'consequences' })
  kind: string;

  @ApiProperty({ example: 'en' })
  language: string;

  @ApiProperty({ example: 'Templates are sealed.' })
  text: string;

  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  at: Date;
}

class IncidentTransitionResponse {
  @ApiProperty({ enum: ['open', 'assess', 'contain', 'close'], example: 'open' })
  step: string;

  @ApiProperty({ enum: INCIDENT_STATES, example: 'open' })
  state: string;

  @ApiProperty({ type: Boolean, nullable: true, example: null })
  breach: boolean | null;

  @ApiProperty({ type: String, nullable: true, enum: BREACH_RISKS, example: null })
  risk: string | null;

  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  at: Date;
}

class AffectedResponse {
  @ApiProperty({ format: 'uuid', example: EXAMPLE.affectedId })
  id: string;

  @ApiProperty({ type: 'object', additionalProperties: true, example: { galleryId: EXAMPLE.galleryId } })
  filter: object;

  @ApiProperty({ type: 'integer', example: 1 })
  found: number;

  @ApiProperty({ type: 'integer', description: 'Of them, those who were not among them before.', example: 1 })
  added: number;

  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  at: Date;
}

export class IncidentDetailsResponse extends IncidentResponse {
  @ApiProperty({ type: 'integer', description: 'Affected subjects.', example: 1 })
  subjects: number;

  @ApiProperty({ type: [DutyResponse] })
  duties: DutyResponse[];

  @ApiProperty({ type: [EntryResponse] })
  entries: EntryResponse[];

  @ApiProperty({ type: [IncidentTransitionResponse] })
  transitions: IncidentTransitionResponse[];

  @ApiProperty({ type: [AffectedResponse] })
  affected: AffectedResponse[];
}

export class IncidentPage {
  @ApiProperty({ type: [IncidentResponse] })
  items: IncidentResponse[];

  @ApiProperty({ type: String, nullable: true, example: null })
  nextCursor: string | null;
}
