import type { ConsentId } from '#platform/ids';
import type { OutboxMessage } from '#platform/outbox';

export const CONSENT_ENDED = 'consent.ended';

/** A consent was withdrawn or expired: what was sealed under it is to be erased. */
export function consentEnded(consentId: ConsentId): OutboxMessage {
  return { type: CONSENT_ENDED, payload: { consentId } };
}
