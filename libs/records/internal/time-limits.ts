import type { Policy } from '#policy/policies';

export interface TimeLimit {
  readonly jurisdiction: string;
  readonly policyRevision: number;
  readonly rule: string;
  /** An ISO 8601 duration. */
  readonly limit: string;
  readonly source: string;
}

const RULES = {
  afterEnd: 'After the end of the consent',
  afterErasureRequest: 'After a request for erasure',
  inactivity: 'After the last interaction with the person',
  logs: 'Logs',
} as const;

/** GDPR Art. 30(1)(f): what the policies that are in force ask for. */
export function timeLimits(
  policies: readonly Policy[],
  jurisdictions: ReadonlySet<string>,
): readonly TimeLimit[] {
  return policies
    .filter(({ jurisdiction }) => jurisdictions.has(jurisdiction))
    .flatMap(({ jurisdiction, revision, document: { retention } }) =>
      (['afterEnd', 'afterErasureRequest', 'inactivity', 'logs'] as const).flatMap((rule): TimeLimit[] => {
        const { value, source } = retention[rule];
        if (value === null) return [];
        return [{ jurisdiction, policyRevision: revision, rule: RULES[rule], limit: value, source }];
      }),
    );
}
