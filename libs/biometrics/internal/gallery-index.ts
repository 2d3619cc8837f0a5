import type { ConsentChange } from '#consent/consent-gate';
import type { ConsentId, SegmentId, SubjectId, TemplateId } from '#platform/ids';

export interface IndexedTemplate {
  readonly templateId: TemplateId;
  readonly subjectId: SubjectId;
  /** Under which it was made: it may be matched while that one is valid, whatever was agreed to since. */
  readonly consentId: ConsentId;
}

/** Who stands behind each slot of a gallery, and until when each may be matched. Pure state; no rows. */
export class GalleryIndex {
  version = 0n;
  consentVersion = 0n;
  private readonly slots = new Map<SegmentId, Map<number, IndexedTemplate>>();
  private readonly validUntil = new Map<ConsentId, Date | null>();

  get segmentIds(): SegmentId[] {
    return [...this.slots.keys()];
  }

  add(segmentId: SegmentId, slot: number, template: IndexedTemplate): void {
    const segment = this.slots.get(segmentId) ?? new Map<number, IndexedTemplate>();
    this.slots.set(segmentId, segment.set(slot, template));
  }

  /** Whether the slot was known. */
  remove(segmentId: SegmentId, slot: number): boolean {
    return this.slots.get(segmentId)?.delete(slot) ?? false;
  }

  find(segmentId: SegmentId, slot: number): IndexedTemplate | undefined {
    return this.slots.get(segmentId)?.get(slot);
  }

  applyConsent({ consentId, validUntil }: ConsentChange): void {
    if (validUntil === 'ended') this.validUntil.delete(consentId);
    else this.validUntil.set(consentId, validUntil);
  }

  /** The slots of a segment that may be opened at `now`: a consent that is not known is not valid. */
  liveSlots(segmentId: SegmentId, now: Date): number[] {
    const live: number[] = [];
    for (const [slot, { consentId }] of this.slots.get(segmentId) ?? []) {
      const until = this.validUntil.get(consentId);
      if (until === null || (until !== undefined && until > now)) live.push(slot);
    }
    return live;
  }
}
