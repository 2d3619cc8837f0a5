import { domainError } from '#platform/domain-error';

export class ProposalNotFound extends domainError({
  code: 'proposal_not_found',
  status: 404,
  title: 'No such proposal',
  detail: 'Use the id of a proposal that GET /v1/admin/proposals lists.',
}) {}

export class ProposalClosed extends domainError({
  code: 'proposal_closed',
  status: 409,
  title: 'The proposal is not open any more',
  detail: 'Somebody has decided it, or its 72 hours are over: make a new one if it is still wanted.',
}) {}

export class ProposalStale extends domainError({
  code: 'proposal_stale',
  status: 409,
  title: 'What the proposal rests on has changed',
  detail:
    'What it would change is gone or was changed since, or who proposed it may not any more: reject it, and make a new one.',
}) {}

export class AnotherOfficerRequired extends domainError({
  code: 'another_officer_required',
  status: 403,
  title: 'Nobody decides their own proposal',
  detail: 'Ask another officer to approve or reject it; who proposed it can withdraw it.',
}) {}

export class ProposerRequired extends domainError({
  code: 'proposer_required',
  status: 403,
  title: 'Only who made a proposal can withdraw it',
  detail: 'Reject it instead.',
}) {}

export class ApprovalRequired extends domainError({
  code: 'approval_required',
  status: 409,
  title: 'Two officers decide this',
  detail:
    'This installation has officers: ask one to propose it at POST /v1/admin/proposals, and another to approve it.',
}) {}

export const APPROVAL_ERRORS = [
  ProposalNotFound,
  ProposalClosed,
  ProposalStale,
  AnotherOfficerRequired,
  ProposerRequired,
  ApprovalRequired,
] as const;
