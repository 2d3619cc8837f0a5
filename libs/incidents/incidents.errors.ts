import { domainError } from '#platform/domain-error';

export class IncidentNotFound extends domainError({
  code: 'incident_not_found',
  status: 404,
  title: 'No such incident',
  detail: 'Use the id of an incident; a client sees those whose notices were released for its subjects.',
}) {}

export class IncidentStepRefused extends domainError({
  code: 'incident_step_refused',
  status: 409,
  title: 'The state of the incident does not allow this',
  detail:
    'Assess it, contain it, then close it as handled; close it as a false alarm unless it was assessed as a breach.',
}) {}

export class IncidentDutiesOpen extends domainError({
  code: 'incident_duties_open',
  status: 409,
  title: 'The incident has duties that are not met',
  detail: 'Record the notifications that its duties ask for, then close it.',
}) {}

export class IncidentTimesInvalid extends domainError({
  code: 'incident_times_invalid',
  status: 422,
  title: 'The times of the incident cannot be',
  detail: 'Give times that are not in the future, and an occurredTo that is not before occurredFrom.',
}) {}

export class DutyNotFound extends domainError({
  code: 'incident_duty_not_found',
  status: 404,
  title: 'The incident has no such duty',
  detail: 'Use the id of one of the duties that the incident shows, or a jurisdiction that it concerns.',
}) {}

export class DutyAlreadyMet extends domainError({
  code: 'incident_duty_already_met',
  status: 409,
  title: 'The notification was recorded already',
  detail: 'Read the incident: the duty shows when it was met. Add an entry if there is more to say.',
}) {}

export class AffectedFilterEmpty extends domainError({
  code: 'affected_filter_empty',
  status: 422,
  title: 'The query names nobody',
  detail: 'Give at least one condition, and of each window a beginning before its end.',
}) {}

export class AffectedQueryNotFound extends domainError({
  code: 'affected_query_not_found',
  status: 404,
  title: 'The incident has no such query',
  detail: 'Use the id of one of the queries that the incident shows under affected.',
}) {}

export class AffectedSubjectUnknown extends domainError({
  code: 'affected_subject_unknown',
  status: 422,
  title: 'A subject is not among those whose notices were released',
  detail: 'Send only subjects that the list of notices names; nothing of this batch was recorded.',
}) {}

export class NoticeIncomplete extends domainError({
  code: 'incident_notice_incomplete',
  status: 409,
  title: 'The notice to persons lacks what the law asks for',
  detail: 'Add entries of the kinds that errors names, then release the notices.',
}) {}

export const INCIDENT_ERRORS = [
  IncidentNotFound,
  IncidentStepRefused,
  IncidentDutiesOpen,
  IncidentTimesInvalid,
  DutyNotFound,
  DutyAlreadyMet,
  AffectedFilterEmpty,
  AffectedQueryNotFound,
  AffectedSubjectUnknown,
  NoticeIncomplete,
] as const;
