import { QueryFailedError } from 'typeorm';

/**
 * PostgreSQL classes 08 (connection), 28 (authorisation: a password or a certificate that does not fit), 53 (resources) and
 * 57 (intervention), and what Node says of sockets and names.
 */
const UNREACHABLE = /^(08|28|53|57)|ECONN|ETIMEDOUT|EPIPE|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN/;

/** Whether an error means that PostgreSQL or Redis could not be reached, which passes by itself. */
export function isUnreachable(thrown: unknown): boolean {
  const cause: unknown = thrown instanceof QueryFailedError ? thrown.driverError : thrown;
  if (!(cause instanceof Error)) return false;
  if ('code' in cause && typeof cause.code === 'string') return UNREACHABLE.test(cause.code);
  return /Connection terminated|timeout exceeded when trying to connect|Client has encountered/.test(
    cause.message,
  );
}
