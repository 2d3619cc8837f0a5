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

export class JurisdictionInUse extends domainError({
  code: 'jurisdiction_in_use',
  status: 409,
  title: 'Something of the subject rests on its present jurisdiction',
  detail: 'Withdraw its consents and wait until nothing is held, or register the person under the other one.',
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

export class NoticeIncomplete extends domainError({
  code: 'notice_incomplete',
  status: 422,
  title: 'The notice lacks items that the jurisdiction asks for',
  detail:
    'Publish a notice with the items that are named, and name that one; GET /v1/jurisdictions says which law asks for them.',
}) {}

export class NoticeForAnotherJurisdiction extends domainError({
  code: 'notice_for_another_jurisdiction',
  status: 422,
  title: 'The notice is for another jurisdiction',
  detail: "Name a notice for the subject's jurisdiction, or one that names none.",
}) {}

export class NoticeOutdated extends domainError({
  code: 'notice_outdated',
  status: 422,
  title: 'A newer version of the notice has asked for renewal',
  detail: 'Show the person the current notice (GET /v1/notices/current) and name that one.',
}) {}

export class NoticeLanguageMissing extends domainError({
  code: 'notice_language_missing',
  status: 404,
  title: 'No notice for this purpose is in a language that was asked for',
  detail: 'Publish the notice in that language, or ask for further languages, the preferred one first.',
}) {}

export class RenewalInPast extends domainError({
  code: 'renewal_in_past',
  status: 422,
  title: 'Consents would have to be renewed before the notice is published',
  detail: 'Give a renewBy in the future that leaves the persons time, or leave it out.',
}) {}

export class ConsentEnded extends domainError({
  code: 'consent_ended',
  status: 409,
  title: 'The consent has ended',
  detail: 'Record a new consent (POST /v1/consents): what was made under the old one is erased.',
}) {}

export class EvidenceInFuture extends domainError({
  code: 'evidence_in_future',
  status: 422,
  title: 'The person would decide in the future',
  detail: 'Give the time at which the person decided, or leave it out.',
}) {}

export class WrittenReleaseRequired extends domainError({
  code: 'written_release_required',
  status: 422,
  title: "The subject's jurisdiction asks for a written release",
  detail: 'Have the person sign, and give evidence with the method written_release or signature.',
}) {}

export class ConsentMethodRequired extends domainError({
  code: 'consent_method_required',
  status: 422,
  title: 'Nothing says how the person gave an explicit consent',
  detail: 'Give evidence with the method by which the person agreed.',
}) {}

export class GuardianRequired extends domainError({
  code: 'guardian_required',
  status: 422,
  title: 'A guardian consents for a minor',
  detail: "Give evidence.guardian as the policy of the subject's jurisdiction asks for it.",
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
  JurisdictionInUse,
  NoticeIncomplete,
  NoticeForAnotherJurisdiction,
  NoticeOutdated,
  NoticeLanguageMissing,
  RenewalInPast,
  ConsentEnded,
  EvidenceInFuture,
  WrittenReleaseRequired,
  ConsentMethodRequired,
  GuardianRequired,
] as const;
