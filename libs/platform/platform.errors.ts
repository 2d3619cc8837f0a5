import { domainError } from './domain-error.js';

export class InvalidRequest extends domainError({
  code: 'invalid_request',
  status: 400,
  title: 'The request is not valid',
  detail: 'Correct the members listed in errors, or the request itself, and send it again.',
}) {}

export class InvalidCursor extends domainError({
  code: 'invalid_cursor',
  status: 400,
  title: 'The cursor is not valid',
  detail: "Use nextCursor (of results: the last line's cursor) unchanged, or leave cursor out to start anew.",
}) {}

export class IdempotencyKeyReused extends domainError({
  code: 'idempotency_key_reused',
  status: 422,
  title: 'The Idempotency-Key was used for another request',
  detail: 'Send the same request as before with this key, or make a new key for the new request.',
}) {}

export class IdempotencyKeyInvalid extends domainError({
  code: 'idempotency_key_invalid',
  status: 400,
  title: 'The Idempotency-Key is not valid',
  detail: 'Send 1 to 255 visible ASCII characters, for example a UUID made for this request.',
}) {}

export class DependencyUnavailable extends domainError({
  code: 'dependency_unavailable',
  status: 503,
  title: 'A part that this call needs cannot be reached',
  detail: 'Nothing was decided or changed. Try again after the time in Retry-After.',
  retryAfterSeconds: 2,
}) {
  /** Which part it was, for the operator's log and never for the caller. */
  part: 'redis' | 'database' | 'matching' | undefined;

  /** `cause`: what the part said, or that it did not say anything in time. */
  static of(part: NonNullable<DependencyUnavailable['part']>, cause: unknown): DependencyUnavailable {
    const error = new DependencyUnavailable();
    error.part = part;
    error.cause = cause;
    return error;
  }
}

export const PLATFORM_ERRORS = [
  InvalidRequest,
  InvalidCursor,
  IdempotencyKeyReused,
  IdempotencyKeyInvalid,
  DependencyUnavailable,
] as const;
