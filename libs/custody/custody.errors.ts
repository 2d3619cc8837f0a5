import { domainError } from '#platform/domain-error';

export class KeySetNotFound extends domainError({
  code: 'key_set_destroyed',
  status: 410,
  title: 'The keys of this gallery are destroyed',
  detail: 'Nothing that was sealed in this gallery can be read any more; create a gallery and enrol anew.',
}) {}

export class OpeningsLimited extends domainError({
  code: 'openings_limited',
  status: 429,
  title: 'The client, or the gallery, compares faces too often',
  detail: 'Nothing was compared. Send the request again after the time in Retry-After, and fewer of them.',
  retryAfterSeconds: 60,
}) {}

export class SubjectOpeningsLimited extends domainError({
  code: 'subject_openings_limited',
  status: 429,
  title: 'This person is compared too often',
  detail: 'Nothing was compared. Send the request again after the time in Retry-After.',
  retryAfterSeconds: 60,
}) {}

/** The matcher asked for what the custodian must not answer: a fault of ours or an attack, never of the client. */
export class OpeningRefused extends Error {
  override readonly name = 'OpeningRefused';
}

/** More faces of different people are alike than a list of duplicates could name. */
export class TooManyPairs extends Error {
  override readonly name = 'TooManyPairs';
}

export const CUSTODY_ERRORS = [KeySetNotFound, OpeningsLimited, SubjectOpeningsLimited] as const;
