/** What an access token allows (DESIGN.md section 6), as the OpenAPI explorer shows it. */
export const SCOPES = {
  'galleries:read': 'List and read galleries and models',
  'galleries:write': 'Create and destroy galleries',
  'consent:read': 'Read subjects, notices and consents',
  'consent:write': 'Register subjects, publish notices, record and withdraw consents',
  'faces:enrol': 'Enrol templates and list them',
  'faces:verify': 'Compare a face with one subject (1:1)',
  'faces:identify': 'Search a gallery for a face (1:N)',
  'faces:erase': 'Erase templates and subjects',
  'jobs:read': 'Read bulk jobs, their results and webhooks',
  'jobs:write': 'Start and cancel bulk jobs, manage webhooks',
  'admin:audit': 'Read the audit log of the installation',
  'admin:compliance': 'Act as a compliance officer',
  'admin:clients': 'Manage OAuth clients',
  'admin:keys': 'Rotate and destroy keys',
} as const;

export type Scope = keyof typeof SCOPES;

export const ALL_SCOPES = Object.keys(SCOPES).filter(isScope);

export function isScope(text: string): text is Scope {
  return Object.hasOwn(SCOPES, text);
}

/** RFC 6749 section 3.3: scope tokens parted by spaces. */
export function splitScopes(text: string): string[] {
  return text.split(' ').filter((part) => part !== '');
}
