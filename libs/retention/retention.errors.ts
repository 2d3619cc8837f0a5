import { domainError } from '#platform/domain-error';

export class HoldNotFound extends domainError({
  code: 'hold_not_found',
  status: 404,
  title: 'No such hold',
  detail: 'Use the id of a hold that GET /v1/admin/holds lists.',
}) {}

export class NothingToHold extends domainError({
  code: 'nothing_to_hold',
  status: 404,
  title: 'There is no such data to put on hold',
  detail: 'Name a subject that is not destroyed yet and, if a consent is named, one of that subject.',
}) {}

export class HoldEndsInPast extends domainError({
  code: 'hold_ends_in_past',
  status: 422,
  title: 'The hold would end before it begins',
  detail: 'Give an until in the future, or leave it out: the hold then counts until it is released.',
}) {}

export class RetentionPolicyNotFound extends domainError({
  code: 'retention_policy_not_found',
  status: 404,
  title: 'No policy is in force for this jurisdiction',
  detail: 'Use a code that GET /v1/jurisdictions lists.',
}) {}

export const RETENTION_ERRORS = [
  HoldNotFound,
  NothingToHold,
  HoldEndsInPast,
  RetentionPolicyNotFound,
] as const;
