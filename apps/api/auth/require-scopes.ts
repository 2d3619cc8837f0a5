import { InsufficientScope } from '#auth/auth.errors';
import type { Scope } from '#auth/scopes';
import { currentContext } from '#platform/request-context';
import type { Response } from 'express';

/** Refuses a request whose token lacks one of the scopes; RFC 6750 section 3.1: the answer names what is missing. */
export function requireScopes(required: readonly Scope[], response: Response): void {
  const held = currentContext()?.scopes ?? [];
  if (required.every((scope) => held.includes(scope))) return;
  const challenge = `Bearer error="insufficient_scope", scope="${required.join(' ')}"`;
  response.setHeader('WWW-Authenticate', challenge);
  throw new InsufficientScope();
}
