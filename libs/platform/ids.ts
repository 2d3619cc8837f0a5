import { v7, validate } from 'uuid';

declare const brand: unique symbol;
export type Id<Kind extends string> = string & { readonly [brand]: Kind };

export type ClientId = Id<'client'>;
export type SubjectId = Id<'subject'>;
export type NoticeId = Id<'notice'>;
export type ConsentId = Id<'consent'>;
export type GalleryId = Id<'gallery'>;
export type SegmentId = Id<'segment'>;
export type TemplateId = Id<'template'>;
export type AuditEventId = Id<'audit-event'>;
export type JobId = Id<'job'>;
export type MessageId = Id<'message'>;
export type WebhookId = Id<'webhook'>;
export type OfficerId = Id<'officer'>;
export type CaseId = Id<'case'>;
export type SessionId = Id<'session'>;
export type ProposalId = Id<'proposal'>;
export type DeliveryId = Id<'delivery'>;
export type DestructionId = Id<'destruction'>;
export type HoldId = Id<'hold'>;
export type IncidentId = Id<'incident'>;
export type IncidentDutyId = Id<'incident-duty'>;
export type IncidentQueryId = Id<'incident-query'>;
export type KeyRotationId = Id<'key-rotation'>;

/** A UUIDv7 (RFC 9562 section 5.7): ids sort by the time they were made, which cursors rely on. */
export function newId<Kind extends string>(): Id<Kind> {
  return asId<Kind>(v7());
}

/**
 * Brands a text that was validated at the edge or read from the database; throws if it is no UUID after all. In lower case,
 * as PostgreSQL answers it (RFC 9562 section 4 takes either): an id has one spelling wherever it is compared or hashed.
 */
export function asId<Kind extends string>(text: string): Id<Kind> {
  const id = text.toLowerCase();
  if (!isId<Kind>(id)) throw new TypeError('an id is not a UUID');
  return id;
}

export function isId<Kind extends string>(text: string): text is Id<Kind> {
  return validate(text);
}
