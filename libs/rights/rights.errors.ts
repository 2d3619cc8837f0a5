import { domainError } from '#platform/domain-error';

export class RightNotProvided extends domainError({
  code: 'right_not_provided',
  status: 422,
  title: "The subject's jurisdiction does not provide this right",
  detail:
    "errors names the member that the policy of the subject's jurisdiction (GET /v1/jurisdictions) would need; use a right that it has, such as grievance.",
}) {}

export class CaseNotFound extends domainError({
  code: 'case_not_found',
  status: 404,
  title: 'No such case',
  detail: 'Use the id of a request that this client opened; officers see those of every client.',
}) {}

export class CaseStepImpossible extends domainError({
  code: 'case_step_impossible',
  status: 409,
  title: 'The case is not in a state in which this can be done',
  detail: 'Read the case: its state and kind decide what can be done next (docs/compliance/rights.md).',
}) {}

export class ExtensionNotProvided extends domainError({
  code: 'extension_not_provided',
  status: 422,
  title: 'The time for the answer cannot be extended',
  detail: 'The policy of the jurisdiction has no extension for this right: decide the case before it is due.',
}) {}

export class ExtensionTooLate extends domainError({
  code: 'extension_too_late',
  status: 409,
  title: 'The case is due already',
  detail: 'A case can be extended before it is due alone: decide it now.',
}) {}

export class CaseOfAnotherKind extends domainError({
  code: 'case_of_another_kind',
  status: 422,
  title: 'The case is about another right, or another person',
  detail: 'Name a case of the kind that this call fulfils, opened for this subject.',
}) {}

export class ErasureNotFinished extends domainError({
  code: 'erasure_not_finished',
  status: 409,
  title: 'Nothing was erased under this case yet',
  detail:
    'The proof is there once the case is fulfilled and what the jurisdiction has kept is destroyed: ask again then.',
}) {}

export class ErasureInputsUnread extends domainError({
  code: 'erasure_inputs_unread',
  status: 409,
  title: 'The input of a bulk job from before the erasure waits to be read, and may name the person',
  detail: 'A worker reads it before all else, and leaves out who was erased: ask again in a moment.',
}) {}

export class NomineeNotFound extends domainError({
  code: 'nominee_not_found',
  status: 404,
  title: 'The subject has no nominee',
  detail: 'Record one with PUT /v1/subjects/{subjectId}/nominee.',
}) {}

export class NomineeRequired extends domainError({
  code: 'nominee_required',
  status: 409,
  title: 'Nobody is nominated yet',
  detail:
    'Record the nominee (PUT /v1/subjects/{subjectId}/nominee), with caseId to fulfil the request by it.',
}) {}

export const RIGHTS_ERRORS = [
  RightNotProvided,
  CaseNotFound,
  CaseStepImpossible,
  ExtensionNotProvided,
  ExtensionTooLate,
  CaseOfAnotherKind,
  ErasureInputsUnread,
  ErasureNotFinished,
  NomineeNotFound,
  NomineeRequired,
] as const;
