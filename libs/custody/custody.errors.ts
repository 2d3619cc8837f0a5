import { domainError } from '#platform/domain-error';

export class KeySetNotFound extends domainError({
  code: 'key_set_destroyed',
  status: 410,
  title: 'The keys of this gallery are destroyed',
  detail: 'Nothing that was sealed in this gallery can be read any more; create a gallery and enrol anew.',
}) {}

/** The matcher asked for what the custodian must not answer: a fault of ours or an attack, never of the client. */
export class OpeningRefused extends Error {
  override readonly name: string = 'OpeningRefused';
}

/** It is another gallery's, or its secret was destroyed after its rows had moved: whoever reads the rows anew may ask again. */
export class SegmentUnknown extends OpeningRefused {
  override readonly name = 'SegmentUnknown';
}

/** More faces of different people are alike than a list of duplicates could name. */
export class TooManyPairs extends Error {
  override readonly name = 'TooManyPairs';
}

export const CUSTODY_ERRORS = [KeySetNotFound] as const;
