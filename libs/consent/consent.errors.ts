import { domainError } from '#platform/domain-error';

export class SubjectNotFound extends domainError({
  code: 'subject_not_found',
  status: 404,
  title: 'No such subject',
  detail: 'Use the id of a subject that this client registered and that has not been erased.',
}) {}

export class SubjectReferenceTaken extends domainError({
  code: 'subject_reference_taken',
  status: 409,
  title: 'Another subject has this reference',
  detail:
    'Use the existing subject (GET /v1/subjects?reference=…), or register this one under another reference.',
}) {}

export class NoticeNotFound extends domainError({
  code: 'notice_not_found',
  status: 404,
  title: 'No such notice',
  detail: 'Use the id of a notice that this client published.',
}) {}

export class ConsentNotFound extends domainError({
  code: 'consent_not_found',
  status: 404,
  title: 'No such consent',
  detail: 'Use the id of a consent that this client recorded.',
}) {}

export class NoticeForAnotherPurpose extends domainError({
  code: 'notice_for_another_purpose',
  status: 422,
  title: 'The notice is about another purpose',
  detail: 'Name a notice that was published for the purpose that is consented to.',
}) {}

export class ConsentAlreadyActive extends domainError({
  code: 'consent_already_active',
  status: 409,
  title: 'The subject has an active consent for this purpose',
  detail: 'Use the active consent, or withdraw it before a new one is recorded.',
}) {}

export class ConsentExpiryInPast extends domainError({
  code: 'consent_expiry_in_past',
  status: 422,
  title: 'The consent would expire before it begins',
  detail: 'Give an expiresAt in the future, or leave it out.',
}) {}

export class ConsentRequired extends domainError({
  code: 'consent_required',
  status: 403,
  title: 'The subject has no valid consent for this purpose',
  detail: "Record the subject's consent for the gallery's purpose (POST /v1/consents), then repeat the call.",
}) {}

export class ProcessingRestricted extends domainError({
  code: 'processing_restricted',
  status: 403,
  title: "The processing of the subject's data is restricted",
  detail:
    'Do not process it until the restriction is lifted: GET /v1/rights-requests?subjectId=… names the case it rests on.',
}) {}

export const CONSENT_ERRORS = [
  SubjectNotFound,
  SubjectReferenceTaken,
  NoticeNotFound,
  ConsentNotFound,
  NoticeForAnotherPurpose,
  ConsentAlreadyActive,
  ConsentExpiryInPast,
  ConsentRequired,
  ProcessingRestricted,
] as const;
