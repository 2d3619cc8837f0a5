import { CROSSING_ERRORS } from '#custody/custody.errors';
import { MalformedMessage } from '#custody/wire/codec';
import type { Outcome } from '#custody/wire/frames';
import { DomainError } from '#platform/domain-error';
import { isUnreachable } from '#platform/unreachable';
import { Logger } from '@nestjs/common';

const logger = new Logger('custodian');

/** What callers are told of an error: its name where the port names it, and else no more than whether to ask again. */
export function refusalOf(thrown: unknown): { readonly outcome: Outcome; readonly body: Buffer } {
  if (thrown instanceof Error && Object.hasOwn(CROSSING_ERRORS, thrown.name)) {
    const said = thrown instanceof DomainError ? (thrown.retryAfterSeconds ?? '') : thrown.message;
    return { outcome: 'refused', body: Buffer.from(`${thrown.name}\n${said}`) };
  }
  return { outcome: outcomeOf(thrown), body: Buffer.alloc(0) };
}

function outcomeOf(thrown: unknown): Outcome {
  if (isUnreachable(thrown)) return 'unavailable';
  const error = thrown instanceof Error ? thrown : new Error('something that is no error was thrown');
  // Name and places: a message may quote a value.
  logger.error({ message: 'unexpected error', errorName: error.name, stack: error.stack });
  return thrown instanceof MalformedMessage ? 'malformed' : 'failed';
}
