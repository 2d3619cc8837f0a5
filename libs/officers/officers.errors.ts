import { domainError } from '#platform/domain-error';

/** One for all: it tells neither who is an officer, nor which part was wrong, nor that an account is locked. */
export class LoginRefused extends domainError({
  code: 'login_refused',
  status: 403,
  title: 'The login is refused',
  detail:
    'Check e-mail address, password and code; a code counts once. After several failures wait up to an hour, or ask the operator.',
}) {}

export class SessionEnded extends domainError({
  code: 'session_ended',
  status: 403,
  title: 'The session has ended',
  detail: 'Log in again at POST /v1/officers/sessions; each session token can be used once.',
}) {}

export class EnrolmentRefused extends domainError({
  code: 'enrolment_refused',
  status: 403,
  title: 'The enrolment code does not count',
  detail: 'Ask the operator for a new one (velum officers reset); a code counts for 24 hours, and once.',
}) {}

export class TotpInvalid extends domainError({
  code: 'totp_invalid',
  status: 422,
  title: 'The code of the authenticator app is wrong',
  detail: "Send the app's present code, and check the clock of the device; the enrolment code still counts.",
}) {}

export class PasswordRefused extends domainError({
  code: 'password_refused',
  status: 422,
  title: 'The password is too easy to guess',
  detail:
    'Choose at least 12 characters that are neither a common password nor hold your e-mail address; several unrelated words do.',
}) {}

export class OfficerRequired extends domainError({
  code: 'officer_required',
  status: 403,
  title: 'This is for officers alone',
  detail: 'Log in as an officer at POST /v1/officers/sessions; the token of a client does not do.',
}) {}

export class OfficerNotFound extends domainError({
  code: 'officer_not_found',
  status: 404,
  title: 'No such officer',
  detail: 'Use the id of an officer that velum officers list shows, and that is not disabled.',
}) {}

export class OfficerEmailTaken extends domainError({
  code: 'officer_email_taken',
  status: 409,
  title: 'An officer has this e-mail address',
  detail: 'Each officer is one person: reset the account that is there, or use another address.',
}) {}

export const OFFICER_ERRORS = [
  LoginRefused,
  SessionEnded,
  EnrolmentRefused,
  TotpInvalid,
  PasswordRefused,
  OfficerRequired,
  OfficerNotFound,
  OfficerEmailTaken,
] as const;
