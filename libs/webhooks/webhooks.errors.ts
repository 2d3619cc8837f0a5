import { domainError } from '#platform/domain-error';

export class WebhookNotFound extends domainError({
  code: 'webhook_not_found',
  status: 404,
  title: 'No such webhook',
  detail: 'Use the id of a webhook that this client created.',
}) {}

export class TooManyWebhooks extends domainError({
  code: 'too_many_webhooks',
  status: 409,
  title: 'The client has as many webhooks as it may have',
  detail: 'Delete one of your ten webhooks before you create another.',
}) {}

export class WebhookDisabled extends domainError({
  code: 'webhook_disabled',
  status: 409,
  title: 'The webhook is disabled',
  detail: 'Its receiver answered 410 Gone: delete it, and create another when the receiver is there again.',
}) {}

export class WebhookTestWaiting extends domainError({
  code: 'webhook_test_waiting',
  status: 409,
  title: 'A test of this webhook is under way',
  detail: 'Wait some seconds and read the webhook: it shows how the test ended.',
}) {}

export class WebhookUrlRefused extends domainError({
  code: 'webhook_url_refused',
  status: 422,
  title: 'The URL is not one that can be called',
  detail:
    'Give an https: URL without user name, password and fragment; http: is for hosts the operator allows.',
}) {}

export class WebhookAddressRefused extends domainError({
  code: 'webhook_address_refused',
  status: 422,
  title: 'The address is not one of the public internet',
  detail: 'Give a public address, or ask the operator to allow this one (WEBHOOK_ALLOWED_NETWORKS).',
}) {}

export const WEBHOOK_ERRORS = [
  WebhookNotFound,
  TooManyWebhooks,
  WebhookDisabled,
  WebhookTestWaiting,
  WebhookUrlRefused,
  WebhookAddressRefused,
] as const;
