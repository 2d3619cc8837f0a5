import { Policies, type Policy } from '#policy/policies';
import { purposesApart, type RetentionRules } from '#policy/retention-rules';
import { JurisdictionUnknown } from '#policy/policy.errors';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { RetentionPolicyNotFound } from './retention.errors.js';

/** In the order of the page, each with what it says. */
const RULES = [
  [
    'inactivity',
    'Biometric data is destroyed at the latest this long after the last interaction with the person',
  ],
  ['noticeBeforeErasure', 'The person is told this long before a destruction for inactivity'],
  ['afterEnd', 'Biometric data is destroyed this long after the consent to its purpose has ended'],
  ['afterErasureRequest', 'Biometric data is destroyed this long after the person has asked for its erasure'],
  [
    'logs',
    'Logs of the systems, which hold no biometric data, are to be kept for at least this long; what the audit log says of a person goes with their data',
  ],
] as const;

export interface PublicRule {
  readonly rule: (typeof RULES)[number][0];
  /** Null: of every purpose that has no other rule. */
  readonly purpose: string | null;
  readonly means: string;
  /** An ISO 8601 duration; null: no such time is fixed. */
  readonly duration: string | null;
  readonly source: string;
}

function publicRules(rules: Partial<RetentionRules>, purpose: string | null): PublicRule[] {
  return RULES.flatMap(([rule, means]) => {
    const own = rules[rule];
    return own === undefined ? [] : [{ rule, purpose, means, duration: own.value, source: own.source }];
  });
}

/** 740 ILCS 14/15(a): a written policy, made available to the public. */
export interface RetentionPolicy {
  readonly jurisdiction: string;
  readonly name: string;
  readonly law: string;
  readonly revision: number;
  readonly inForceSince: Date;
  readonly rules: readonly PublicRule[];
  readonly confirm: string;
}

export class FindRetentionPolicy extends Query<RetentionPolicy> {
  constructor(readonly jurisdiction: string) {
    super();
  }
}

@QueryHandler(FindRetentionPolicy)
export class FindRetentionPolicyHandler implements IQueryHandler<FindRetentionPolicy> {
  constructor(
    private readonly db: DataSource,
    private readonly policies: Policies,
  ) {}

  async execute({ jurisdiction }: FindRetentionPolicy): Promise<RetentionPolicy> {
    const { document, revision, publishedAt } = await this.current(jurisdiction);
    const { name, law, retention, confirm } = document;
    const apart = purposesApart(retention).flatMap(([purpose, own]) => publicRules(own, purpose));
    const rules = [...publicRules(retention, null), ...apart];
    return { jurisdiction, name, law, revision, inForceSince: publishedAt, rules, confirm };
  }

  private async current(jurisdiction: string): Promise<Policy> {
    try {
      return await this.policies.current(this.db.manager, jurisdiction);
    } catch (error) {
      throw error instanceof JurisdictionUnknown ? new RetentionPolicyNotFound() : error;
    }
  }
}
