import type { Scope } from '#auth/scopes';

/** What an officer can be allowed. Clients and faces are not among it: who decides does not also operate. */
export const OFFICER_SCOPES = [
  'admin:audit',
  'admin:compliance',
  'admin:keys',
] as const satisfies readonly Scope[];

export type OfficerScope = (typeof OFFICER_SCOPES)[number];

export function isOfficerScope(text: string): text is OfficerScope {
  return OFFICER_SCOPES.some((scope) => scope === text);
}
