import { InsufficientScope, InvalidClient, OAUTH_ERRORS, Unauthenticated } from '#auth/auth.errors';
import { DomainError, type DomainErrorClass } from '#platform/domain-error';
import { SECURITY_LOG } from '#platform/logging';
import { DependencyUnavailable, InvalidRequest } from '#platform/platform.errors';
import { ThreadFailed } from '#platform/thread';
import { isUnreachable } from '#platform/unreachable';
import { currentContext } from '#platform/request-context';
import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Logger } from '@nestjs/common';
import type { Response } from 'express';
import { Counter } from 'prom-client';
import { QueryFailedError } from 'typeorm';
import {
  BodyTooLarge,
  InternalError,
  MalformedBody,
  RateLimited,
  RouteNotFound,
  UnsupportedMediaType,
} from './http.errors.js';

const BY_STATUS: Readonly<Record<number, DomainErrorClass>> = {
  400: MalformedBody,
  401: Unauthenticated,
  403: InsufficientScope,
  404: RouteNotFound,
  413: BodyTooLarge,
  415: UnsupportedMediaType,
  422: InvalidRequest,
  429: RateLimited,
  503: DependencyUnavailable,
};

const problems = new Counter({
  name: 'velum_problems_total',
  help: 'Refusals and faults answered, by the code of docs/problems.md',
  labelNames: ['code'],
});

/** No token, not allowed, too often. */
const REFUSED_ACCESS = new Set([401, 403, 429]);

/** PostgreSQL's word for a text that holds a null byte or a character that it cannot store, and for a date that it cannot. */
const UNSTORABLE = /^(22008|22021|22P05)$/;

/** The only place where errors become HTTP: RFC 9457 for the API, RFC 6749 section 5.2 for the token endpoints. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger('problem');
  private readonly security = new Logger(SECURITY_LOG);

  catch(thrown: unknown, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<Response>();
    const error = this.toDomainError(thrown);
    problems.inc({ code: error.problem.code });
    const context = currentContext();
    if (context !== undefined) context.code = error.problem.code;
    if (REFUSED_ACCESS.has(error.problem.status)) {
      this.security.warn({ message: 'refused', code: error.problem.code, status: error.problem.status });
    }
    if (error instanceof DependencyUnavailable)
      this.tell('a part could not be reached', error.cause ?? thrown, error.part);
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const { problem, fields, retryAfterSeconds } = error;
    if (retryAfterSeconds !== undefined) response.setHeader('Retry-After', retryAfterSeconds);
    if (error instanceof Unauthenticated && !response.hasHeader('WWW-Authenticate'))
      response.setHeader('WWW-Authenticate', 'Bearer error="invalid_token"');
    if (error instanceof InsufficientScope && !response.hasHeader('WWW-Authenticate')) {
      response.setHeader('WWW-Authenticate', 'Bearer error="insufficient_scope"');
    }
    response.status(problem.status);
    if (OAUTH_ERRORS.some((kind) => error instanceof kind)) {
      if (error instanceof InvalidClient) response.setHeader('WWW-Authenticate', 'Basic realm="velum"');
      response.setHeader('Cache-Control', 'no-store');
      response.json({ error: problem.code, error_description: problem.detail });
      return;
    }
    response.setHeader('Content-Type', 'application/problem+json');
    response.json({
      type: `/problems/${problem.code}`,
      title: problem.title,
      status: problem.status,
      detail: problem.detail,
      code: problem.code,
      requestId: currentContext()?.requestId,
      ...(fields.length > 0 ? { errors: fields } : {}),
    });
  }

  private toDomainError(thrown: unknown): DomainError {
    if (thrown instanceof DomainError) return thrown;
    if (isUnreachable(thrown)) return DependencyUnavailable.of('database', thrown);
    if (UNSTORABLE.test(codeOf(thrown) ?? '')) return new InvalidRequest();
    const status = statusOf(thrown);
    const known = status === undefined ? undefined : BY_STATUS[status];
    if (known !== undefined) return new known();
    this.tell('unexpected error', thrown);
    return new InternalError();
  }

  private tell(message: string, thrown: unknown, part?: string): void {
    const cause = thrown instanceof Error ? thrown : new Error('something that is no error was thrown');
    // Name, code and places: a message may quote a value.
    this.logger.error({ message, part, errorName: cause.name, errorCode: codeOf(cause), stack: cause.stack });
  }
}

/** Of Nest's own exceptions and of those of body-parser and multer, which carry a status too. */
function statusOf(thrown: unknown): number | undefined {
  if (thrown instanceof HttpException) return thrown.getStatus();
  if (typeof thrown !== 'object' || thrown === null) return undefined;
  if ('name' in thrown && thrown.name === 'MulterError') {
    return 'code' in thrown && thrown.code === 'LIMIT_FILE_SIZE' ? 413 : 400;
  }
  return 'status' in thrown && typeof thrown.status === 'number' ? thrown.status : undefined;
}

/** PostgreSQL's or Node's code; of a thread's failure the name of the error in the thread. */
function codeOf(error: unknown): string | undefined {
  if (error instanceof ThreadFailed) return error.message;
  const cause: unknown = error instanceof QueryFailedError ? error.driverError : error;
  return cause instanceof Error && 'code' in cause ? String(cause.code) : undefined;
}
