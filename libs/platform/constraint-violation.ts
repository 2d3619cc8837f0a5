import { QueryFailedError } from 'typeorm';

/** Whether a query failed on the named constraint or unique index: the database decides, not a check before. */
export function violates(error: unknown, constraint: string): boolean {
  if (!(error instanceof QueryFailedError)) return false;
  const cause: unknown = error.driverError;
  return cause instanceof Error && 'constraint' in cause && cause.constraint === constraint;
}
