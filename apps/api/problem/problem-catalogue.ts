import { APPROVAL_ERRORS } from '#approvals/approvals.errors';
import { AUDIT_ERRORS } from '#audit/audit.errors';
import { AUTH_ERRORS, OAUTH_ERRORS } from '#auth/auth.errors';
import { BIOMETRICS_ERRORS } from '#biometrics/biometrics.errors';
import { CONSENT_ERRORS } from '#consent/consent.errors';
import { CUSTODY_ERRORS } from '#custody/custody.errors';
import { INCIDENT_ERRORS } from '#incidents/incidents.errors';
import { JOB_ERRORS } from '#jobs/jobs.errors';
import { OFFICER_ERRORS } from '#officers/officers.errors';
import type { DomainErrorClass } from '#platform/domain-error';
import { PLATFORM_ERRORS } from '#platform/platform.errors';
import { POLICY_ERRORS } from '#policy/policy.errors';
import { RIGHTS_ERRORS } from '#rights/rights.errors';
import { RETENTION_ERRORS } from '#retention/retention.errors';
import { RECORD_ERRORS } from '#records/records.errors';
import { WEBHOOK_ERRORS } from '#webhooks/webhooks.errors';
import { HTTP_ERRORS } from './http.errors.js';

/** Every error that the API answers as problem+json. */
export const PROBLEM_CATALOGUE: readonly DomainErrorClass[] = [
  ...HTTP_ERRORS,
  ...PLATFORM_ERRORS,
  ...AUTH_ERRORS,
  ...AUDIT_ERRORS,
  ...CONSENT_ERRORS,
  ...POLICY_ERRORS,
  ...CUSTODY_ERRORS,
  ...BIOMETRICS_ERRORS,
  ...JOB_ERRORS,
  ...WEBHOOK_ERRORS,
  ...RIGHTS_ERRORS,
  ...RETENTION_ERRORS,
  ...OFFICER_ERRORS,
  ...APPROVAL_ERRORS,
  ...INCIDENT_ERRORS,
  ...RECORD_ERRORS,
];

/** Answered in the form of RFC 6749 section 5.2 instead. */
export const OAUTH_CATALOGUE: readonly DomainErrorClass[] = OAUTH_ERRORS;
