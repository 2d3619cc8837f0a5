import type { GalleryId, SegmentId } from '#platform/ids';
import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { IndexedTemplate } from './internal/gallery-index.js';

export const BINDING_BYTES = 32;

/** Whose a row is, where it stands, and under which consent it was made. */
export interface BoundPlace extends IndexedTemplate {
  readonly galleryId: GalleryId;
  readonly segmentId: SegmentId;
  readonly slot: number;
}

/**
 * HMAC-SHA-256 over a place and its row: d × 4 bytes. A pad hides a row and does not authenticate it: whoever knows two
 * faces could add their difference, so the row counts too (docs/adr/0034-templates-are-bound-to-their-consent.md).
 */
export function bindingOf(key: KeyObject, place: BoundPlace, row: Uint8Array): Buffer {
  const { galleryId, templateId, subjectId, consentId, segmentId, slot } = place;
  // Ids have one length and no line break: each line has one meaning.
  const head = `velum template binding v1\n${galleryId}\n${templateId}\n${subjectId}\n${consentId}\n${segmentId}\n${slot}\n`;
  return createHmac('sha256', key).update(head).update(row).digest();
}

export function isBound(key: KeyObject, place: BoundPlace, row: Uint8Array, binding: Uint8Array): boolean {
  return binding.length === BINDING_BYTES && timingSafeEqual(bindingOf(key, place, row), binding);
}
