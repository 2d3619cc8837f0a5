import { DomainError } from '#platform/domain-error';
import { isUnreachable } from '#platform/unreachable';

/** The database, or a part that is busy or away: whatever was being done is not at fault, and is tried again for ever. */
export function passesByItself(error: unknown): boolean {
  return (error instanceof DomainError && error.problem.status >= 500) || isUnreachable(error);
}
