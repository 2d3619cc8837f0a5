import type { Policy } from '#policy/policies';
import { purposesApart, retentionFor, type RetentionRules } from '#policy/retention-rules';

export interface TimeLimit {
  readonly jurisdiction: string;
  readonly policyRevision: number;
  /** Null: of every purpose that has no other. */
  readonly purpose: string | null;
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

const NAMES = ['afterEnd', 'afterErasureRequest', 'inactivity', 'logs'] as const;

/** GDPR Art. 30(1)(f): what the policies that are in force ask for, of one purpose or of all. */
export function timeLimits(
  policies: readonly Policy[],
  jurisdictions: ReadonlySet<string>,
  purpose?: string,
): readonly TimeLimit[] {
  return policies
    .filter(({ jurisdiction }) => jurisdictions.has(jurisdiction))
    .flatMap((policy) => {
      const { retention } = policy.document;
      if (purpose !== undefined) return limitsOf(policy, purpose, retentionFor(retention, purpose));
      const apart = purposesApart(retention).flatMap(([name, rules]) => limitsOf(policy, name, rules));
      return [...limitsOf(policy, null, retention), ...apart];
    });
}

function limitsOf(
  { jurisdiction, revision }: Policy,
  purpose: string | null,
  rules: Partial<RetentionRules>,
): readonly TimeLimit[] {
  return NAMES.flatMap((name): TimeLimit[] => {
    const rule = rules[name];
    if (rule === undefined || rule.value === null) return [];
    const { value: limit, source } = rule;
    return [{ jurisdiction, policyRevision: revision, purpose, rule: RULES[name], limit, source }];
  });
}
