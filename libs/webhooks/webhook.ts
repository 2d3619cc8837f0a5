import type { DeliveryId, WebhookId } from '#platform/ids';

/** Of one client. */
export const MOST_WEBHOOKS = 10;

/** So many of a webhook's last deliveries are shown. */
export const DELIVERIES_SHOWN = 20;

export const WEBHOOK_TEST = 'webhook.test';
export const WEBHOOK_EVENT_TYPES = [
  'job.ended',
  'job.failed',
  'job.cancelled',
  'case.advanced',
  'case.due',
  'retention.notice_due',
  'incident.notify_person',
  WEBHOOK_TEST,
] as const;
export type WebhookEventType = (typeof WEBHOOK_EVENT_TYPES)[number];

/** What a receiver is told. It MUST hold ids, counts and codes alone: it leaves the installation. */
export interface WebhookEvent {
  readonly type: WebhookEventType;
  readonly at: Date;
  readonly data: Readonly<Record<string, string | number | null>>;
}

/** `disabled`: its receiver answered 410 Gone. */
export const WEBHOOK_STATES = ['active', 'disabled'] as const;
export type WebhookState = (typeof WEBHOOK_STATES)[number];

export const DELIVERY_STATES = ['waiting', 'delivered', 'given_up'] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

/** Why an attempt was none that the receiver accepted. */
export const DELIVERY_FAILURES = {
  address_refused: 'The name leads to an address that is not public and not allowed.',
  name_unresolved: 'The name has no address.',
  connection_failed: 'The connection was refused or broke.',
  certificate_refused: 'The certificate is not valid for the name.',
  timed_out: 'No answer came in time.',
  redirected: 'The answer was a redirection, which is not followed.',
  not_accepted: 'The answer was none of 2xx.',
  gone: 'The answer was 410: the webhook is disabled.',
  webhook_disabled: 'The webhook was disabled before this was sent.',
} as const;

export type DeliveryFailure = keyof typeof DELIVERY_FAILURES;

export interface WebhookView {
  readonly id: WebhookId;
  readonly url: string;
  readonly description: string | null;
  readonly state: WebhookState;
  readonly createdAt: Date;
}

export interface DeliveryView {
  readonly id: DeliveryId;
  readonly type: WebhookEventType;
  readonly state: DeliveryState;
  readonly attempts: number;
  /** Of the last attempt: what the receiver answered, and why it did not count. */
  readonly status: number | null;
  readonly code: DeliveryFailure | null;
  readonly createdAt: Date;
  readonly attemptedAt: Date | null;
  readonly nextAttemptAt: Date | null;
}
