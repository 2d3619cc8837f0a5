import type { ClientId, SubjectId } from '#platform/ids';
import type { OutboxMessage } from '#platform/outbox';

export const ERASURE_GRANTED = 'erasure.granted';

/** A request for erasure was granted: whoever granted it erases at once, and the worker if that did not come about. */
export function erasureGranted(clientId: ClientId, subjectId: SubjectId): OutboxMessage {
  return { type: ERASURE_GRANTED, payload: { clientId, subjectId } };
}
