import { OpeningsLimited } from '#custody/custody.errors';
import { DomainError } from '#platform/domain-error';
import { isUnreachable } from '#platform/unreachable';

/** The database, or a part that is busy, away or asked too often: whatever was being done is not at fault, and is tried again for ever. */
export function passesByItself(error: unknown): boolean {
  if (error instanceof OpeningsLimited) return true;
  return (error instanceof DomainError && error.problem.status >= 500) || isUnreachable(error);
}
