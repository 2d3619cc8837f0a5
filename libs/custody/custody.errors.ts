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

export class CustodianUnavailable extends domainError({
  code: 'custodian_unavailable',
  status: 503,
  title: 'The keys cannot be reached',
  detail:
    'No face is enrolled or compared without the key custodian. Try again after the time in Retry-After.',
  retryAfterSeconds: 2,
}) {}

/** The matcher asked for what the custodian must not answer: a fault of ours or an attack, never of the client. */
export class OpeningRefused extends Error {
  override readonly name: string = 'OpeningRefused';
}

/** It is another gallery's, or its secret was destroyed after its rows had moved: whoever reads the rows anew may ask again. */
export class SegmentUnknown extends OpeningRefused {
  override readonly name = 'SegmentUnknown';
}

/** The version before may still come back, and would not know what was done: not before `due`. */
export class CustodyNotAdopted extends OpeningRefused {
  override readonly name = 'CustodyNotAdopted';

  constructor(readonly due: Date) {
    super(due.toISOString());
  }
}

/** More faces of different people are alike than a list of duplicates could name. */
export class TooManyPairs extends Error {
  override readonly name = 'TooManyPairs';
}

/** The custodian failed at a call, for a reason that is no part of its contract and stays in its own log. */
export class CustodianFailed extends Error {
  override readonly name = 'CustodianFailed';
}

export const CUSTODY_ERRORS = [
  KeySetNotFound,
  CustodianUnavailable,
  OpeningsLimited,
  SubjectOpeningsLimited,
] as const;

/** What the custodian's process tells its callers of, by name; of a limit, the seconds to wait. Messages hold no values. */
export const CROSSING_ERRORS: Readonly<Record<string, (message: string) => Error>> = {
  KeySetNotFound: () => new KeySetNotFound(),
  OpeningRefused: (message) => new OpeningRefused(message),
  SegmentUnknown: (message) => new SegmentUnknown(message),
  CustodyNotAdopted: (message) => new CustodyNotAdopted(dateOf(message)),
  TooManyPairs: () => new TooManyPairs(),
  CustodianUnavailable: () => new CustodianUnavailable(),
  OpeningsLimited: (seconds) => new OpeningsLimited([], waitOf(seconds)),
  SubjectOpeningsLimited: (seconds) => new SubjectOpeningsLimited([], waitOf(seconds)),
};

/** Whatever else it is: the caller asks again. */
function dateOf(text: string): Date {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? new Date() : date;
}

function waitOf(seconds: string): number | undefined {
  return /^\d{1,6}$/.test(seconds) ? Number(seconds) : undefined;
}
