import { domainError } from '#platform/domain-error';

export class RouteNotFound extends domainError({
  code: 'route_not_found',
  status: 404,
  title: 'No such address',
  detail: 'Look the call up in /docs: either the path or the method is wrong.',
}) {}

export class MalformedBody extends domainError({
  code: 'malformed_body',
  status: 400,
  title: 'The body cannot be read',
  detail:
    'Send a body of the kind that Content-Type announces: valid JSON, or well-formed multipart/form-data.',
}) {}

export class BodyTooLarge extends domainError({
  code: 'body_too_large',
  status: 413,
  title: 'The body is too large',
  detail: 'Send at most 100 KB; with photographs, at most 10 MB for each and five of them.',
}) {}

export class UnsupportedMediaType extends domainError({
  code: 'unsupported_media_type',
  status: 415,
  title: 'The kind of the body is not supported',
  detail: 'Send application/json, or multipart/form-data for photographs.',
}) {}

export class RateLimited extends domainError({
  code: 'rate_limited',
  status: 429,
  title: 'Too many requests',
  detail: 'Wait for the time in Retry-After; RateLimit tells how many requests are left.',
}) {}

export class TooManyStreams extends domainError({
  code: 'too_many_streams',
  status: 429,
  title: 'The client follows as many jobs at once as it may',
  detail: 'Close one of your 50 event streams, or read GET /v1/jobs/{jobId} now and then.',
  retryAfterSeconds: 5,
}) {}

export class NotReady extends domainError({
  code: 'not_ready',
  status: 503,
  title: 'A part that this process needs does not work',
  detail: 'Look at the parts named in errors; the process lives and recovers by itself when they do.',
  retryAfterSeconds: 2,
}) {}

export class InternalError extends domainError({
  code: 'internal_error',
  status: 500,
  title: 'A fault of ours',
  detail: 'Nothing that you sent is at fault. Tell the operator the requestId, by which the log is found.',
}) {}

export const HTTP_ERRORS = [
  RouteNotFound,
  MalformedBody,
  BodyTooLarge,
  UnsupportedMediaType,
  RateLimited,
  TooManyStreams,
  NotReady,
  InternalError,
] as const;
