import { domainError } from '#platform/domain-error';

export class Unauthenticated extends domainError({
  code: 'unauthenticated',
  status: 401,
  title: 'No valid access token',
  detail: 'Get a token at POST /oauth/token and send it as Authorization: Bearer.',
}) {}

export class InsufficientScope extends domainError({
  code: 'insufficient_scope',
  status: 403,
  title: 'The access token lacks a scope',
  detail: 'Ask the operator to allow this client the scope that the documentation of this call names.',
}) {}

/** RFC 6749 section 5.2: the codes of the token endpoint, answered in its own form. */
export class InvalidClient extends domainError({
  code: 'invalid_client',
  status: 401,
  title: 'The client is not known or its secret is wrong',
  detail: 'Check the client id and the secret; the operator can make a new secret with npm run velum.',
}) {}

export class InvalidGrantRequest extends domainError({
  code: 'invalid_request',
  status: 400,
  title: 'The request is not valid',
  detail: 'Send the form parameters that RFC 6749 asks for, each once.',
}) {}

export class UnsupportedGrantType extends domainError({
  code: 'unsupported_grant_type',
  status: 400,
  title: 'The grant type is not supported',
  detail: 'Use grant_type=client_credentials.',
}) {}

export class InvalidScope extends domainError({
  code: 'invalid_scope',
  status: 400,
  title: 'The scope is not allowed',
  detail:
    'Ask for scopes that this client was given, parted by spaces, or leave scope out to get all of them.',
}) {}

export const OAUTH_ERRORS = [InvalidClient, InvalidGrantRequest, UnsupportedGrantType, InvalidScope] as const;

export class ClientNotFound extends domainError({
  code: 'client_not_found',
  status: 404,
  title: 'No such client',
  detail: 'Use the id of a client of this installation.',
}) {}

export const AUTH_ERRORS = [Unauthenticated, InsufficientScope, ClientNotFound] as const;
