import type { ConsentChange } from '#consent/consent-gate';
import type { SegmentId, SubjectId, TemplateId } from '#platform/ids';

export interface IndexedTemplate {
  readonly templateId: TemplateId;
  readonly subjectId: SubjectId;
}

/** Who stands behind each slot of a gallery, and until when each may be matched. Pure state; no rows. */
export class GalleryIndex {
  version = 0n;
  consentVersion = 0n;
  private readonly slots = new Map<SegmentId, Map<number, IndexedTemplate>>();
  private readonly validUntil = new Map<SubjectId, Date | null>();

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

  applyConsent({ subjectId, validUntil }: ConsentChange): void {
    this.validUntil.set(subjectId, validUntil);
  }

  /** The slots of a segment that may be opened at `now`: a subject of whom no consent is known has none. */
  liveSlots(segmentId: SegmentId, now: Date): number[] {
    const live: number[] = [];
    for (const [slot, { subjectId }] of this.slots.get(segmentId) ?? []) {
      const until = this.validUntil.get(subjectId);
      if (until === null || (until !== undefined && until > now)) live.push(slot);
    }
    return live;
  }
}
