import { CROSSING_ERRORS } from '#custody/custody.errors';
import { MalformedMessage } from '#custody/wire/codec';
import { DomainError } from '#platform/domain-error';
import { isUnreachable } from '#platform/unreachable';
import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Logger } from '@nestjs/common';
import type { Response } from 'express';

/** What callers are told of an error: its name where the port names it, and else nothing. */
@Catch()
export class RefusalFilter implements ExceptionFilter {
  private readonly logger = new Logger('custodian');

  catch(thrown: unknown, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<Response>();
    if (thrown instanceof Error && Object.hasOwn(CROSSING_ERRORS, thrown.name)) {
      const said = thrown instanceof DomainError ? (thrown.retryAfterSeconds ?? '') : thrown.message;
      response.status(422).end(`${thrown.name}\n${said}`);
      return;
    }
    response.status(this.statusOf(thrown)).end();
  }

  private statusOf(thrown: unknown): number {
    if (thrown instanceof HttpException) return thrown.getStatus();
    if (isUnreachable(thrown)) return 503;
    const error = thrown instanceof Error ? thrown : new Error('something that is no error was thrown');
    // Name and places: a message may quote a value.
    this.logger.error({ message: 'unexpected error', errorName: error.name, stack: error.stack });
    return thrown instanceof MalformedMessage ? 400 : 500;
  }
}
