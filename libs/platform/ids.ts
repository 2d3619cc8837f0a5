import { v7 } from 'uuid';

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
export type MessageId = Id<'message'>;

/** A UUIDv7 (RFC 9562 section 5.7): ids sort by the time they were made, which cursors rely on. */
export function newId<Kind extends string>(): Id<Kind> {
  return asId<Kind>(v7());
}

/** Brands a text that a DTO or the database has already shown to be a UUID. */
export function asId<Kind extends string>(text: string): Id<Kind> {
  return text as Id<Kind>;
}
