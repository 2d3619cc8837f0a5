import { domainError } from '#platform/domain-error';

export class JurisdictionUnknown extends domainError({
  code: 'jurisdiction_unknown',
  status: 422,
  title: 'No policy is in force for this jurisdiction',
  detail: 'Use a code that GET /v1/jurisdictions lists, or have officers put a policy in force for it.',
}) {}

export class PolicyInvalid extends domainError({
  code: 'policy_invalid',
  status: 422,
  title: 'The policy is not valid',
  detail: 'Mend the members that are named; docs/compliance.md says what each of them means.',
}) {}

export const POLICY_ERRORS = [JurisdictionUnknown, PolicyInvalid] as const;
