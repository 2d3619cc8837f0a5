import type { ConsentChange } from '#consent/consent-gate';
import type { ConsentId, SegmentId, SubjectId, TemplateId } from '#platform/ids';

export interface IndexedTemplate {
  readonly templateId: TemplateId;
  readonly subjectId: SubjectId;
  /** Under which it was made: it may be matched while that one is valid, whatever was agreed to since. */
  readonly consentId: ConsentId;
}

interface IndexedSegment {
  readonly slots: Map<number, IndexedTemplate>;
  extent: number;
  /** What liveSlots found, good until a consent in it runs out or the segment changes. */
  live?:
    | { readonly slots: Uint16Array<ArrayBuffer>; readonly from: Date; readonly until: Date | null }
    | undefined;
}

/** Who stands behind each slot of a gallery, and until when each may be matched. Pure state; no rows. */
export class GalleryIndex {
  version = 0n;
  consentVersion = 0n;
  private readonly segments = new Map<SegmentId, IndexedSegment>();
  private readonly validUntil = new Map<ConsentId, Date | null>();
  /** Where the templates of a consent are. */
  private readonly places = new Map<ConsentId, Set<SegmentId>>();

  get segmentIds(): SegmentId[] {
    return [...this.segments.keys()];
  }

  add(segmentId: SegmentId, slot: number, template: IndexedTemplate): void {
    const segment: IndexedSegment = this.segments.get(segmentId) ?? { slots: new Map(), extent: 0 };
    segment.slots.set(slot, template);
    segment.extent = Math.max(segment.extent, slot + 1);
    segment.live = undefined;
    this.segments.set(segmentId, segment);
    const places = this.places.get(template.consentId) ?? new Set();
    this.places.set(template.consentId, places.add(segmentId));
  }

  /** Whether the slot was known. */
  remove(segmentId: SegmentId, slot: number): boolean {
    const segment = this.segments.get(segmentId);
    if (segment === undefined) return false;
    const template = segment.slots.get(slot);
    if (template === undefined) return false;
    segment.live = undefined;
    segment.slots.delete(slot);
    this.leave(segmentId, segment, template.consentId);
    if (segment.slots.size === 0) this.segments.delete(segmentId);
    return true;
  }

  /** How many slots of a segment, from 0 on, hold all its rows. */
  extent(segmentId: SegmentId): number {
    return this.segments.get(segmentId)?.extent ?? 0;
  }

  /** The slots of a segment that are known, as they are now. */
  slots(segmentId: SegmentId): readonly (readonly [number, IndexedTemplate])[] {
    return [...(this.segments.get(segmentId)?.slots ?? [])];
  }

  find(segmentId: SegmentId, slot: number): IndexedTemplate | undefined {
    return this.segments.get(segmentId)?.slots.get(slot);
  }

  applyConsent({ consentId, validUntil }: ConsentChange): void {
    for (const segmentId of this.places.get(consentId) ?? []) {
      const segment = this.segments.get(segmentId);
      if (segment !== undefined) segment.live = undefined;
    }
    if (validUntil === 'ended') this.validUntil.delete(consentId);
    else this.validUntil.set(consentId, validUntil);
  }

  /** The slots of a segment that may be opened at `now`: a consent that is not known is not valid. */
  liveSlots(segmentId: SegmentId, now: Date): Uint16Array<ArrayBuffer> {
    const segment = this.segments.get(segmentId);
    if (segment === undefined) return new Uint16Array(0);
    const known = segment.live;
    if (known !== undefined && known.from <= now && (known.until === null || known.until > now))
      return known.slots;
    const live: number[] = [];
    let until: Date | null = null;
    for (const [slot, { consentId }] of segment.slots) {
      const ends = this.validUntil.get(consentId);
      if (ends === undefined || (ends !== null && ends <= now)) continue;
      live.push(slot);
      if (ends !== null && (until === null || ends < until)) until = ends;
    }
    const slots = Uint16Array.from(live);
    segment.live = { slots, from: now, until };
    return slots;
  }

  /** Forgets that a consent has templates in a segment once it has none. */
  private leave(segmentId: SegmentId, { slots }: IndexedSegment, consentId: ConsentId): void {
    for (const other of slots.values()) if (other.consentId === consentId) return;
    const places = this.places.get(consentId);
    places?.delete(segmentId);
    if (places?.size === 0) this.places.delete(consentId);
  }
}
