import { SLOTS_PER_SEGMENT } from '#homomorphic/parameters';
import type { GalleryId, SegmentId } from '#platform/ids';
import type { DataSource } from 'typeorm';
import type { Place } from '../key-custodian.js';
import { retirePlaces } from '../retire-places.js';
import type { NamedSlots } from './segment-ledger.js';

/** Galleries whose retired slots are remembered; 2 KiB for each segment that has any. */
const GALLERIES_KNOWN = 1_000;

interface KnownGallery {
  readonly retirements: string;
  /** 1 for each slot that is retired. */
  readonly segments: Map<SegmentId, Uint8Array>;
}

/** Slots whose rows are gone. Who kept such a row, or finds it in an old copy, learns nothing of it here any more. */
export class RetiredSlots {
  /** In the order of their last use. */
  private readonly known = new Map<GalleryId, KnownGallery>();

  constructor(private readonly db: DataSource) {}

  /**
   * For each of the segments where in `slots` the live ones are; undefined if all are. `retirements` is what the key set
   * says now: where it says nothing new, nothing is read.
   */
  async among(
    galleryId: GalleryId,
    retirements: string,
    named: readonly NamedSlots[],
  ): Promise<readonly (Uint16Array | undefined)[]> {
    if (retirements === '0') return named.map(() => undefined);
    const segments = await this.retiredIn(galleryId, retirements);
    return named.map(({ segmentId, slots }) => {
      const retired = segments.get(segmentId);
      return retired === undefined ? undefined : liveOf(slots, retired);
    });
  }

  /** Certain once it resolves. */
  async add(places: readonly Place[]): Promise<void> {
    await this.db.transaction((tx) => retirePlaces(tx, places));
  }

  forget(galleryId: GalleryId): void {
    this.known.delete(galleryId);
  }

  private async retiredIn(
    galleryId: GalleryId,
    retirements: string,
  ): Promise<ReadonlyMap<SegmentId, Uint8Array>> {
    const before = this.known.get(galleryId);
    if (before?.retirements === retirements) {
      this.remember(galleryId, before);
      return before.segments;
    }
    const fresh = await this.db.query<{ id: SegmentId; slots: string }[]>(
      `SELECT r.segment_id AS id, r.slots FROM custody.retired r JOIN custody.segment s ON s.id = r.segment_id
       WHERE s.gallery_id = $1 AND r.version > $2`,
      [galleryId, before?.retirements ?? 0],
    );
    const segments = before?.segments ?? new Map<SegmentId, Uint8Array>();
    for (const { id, slots } of fresh) {
      const retired = segments.get(id) ?? new Uint8Array(SLOTS_PER_SEGMENT);
      // Added to and never taken away: whoever read at the same time may have read more.
      for (let at = slots.indexOf('1'); at >= 0; at = slots.indexOf('1', at + 1)) retired[at] = 1;
      segments.set(id, retired);
    }
    this.remember(galleryId, { retirements, segments });
    return segments;
  }

  private remember(galleryId: GalleryId, known: KnownGallery): void {
    this.known.delete(galleryId);
    this.known.set(galleryId, known);
    const [oldest] = this.known.keys();
    if (this.known.size > GALLERIES_KNOWN && oldest !== undefined) this.known.delete(oldest);
  }
}

/** A loop and no callbacks: a search of a million rows asks for each of them. */
function liveOf(slots: Uint16Array, retired: Uint8Array): Uint16Array | undefined {
  let named = false;
  for (let i = 0; i < slots.length && !named; i++) named = retired[slots[i] ?? 0] === 1;
  if (!named) return undefined;
  const live = new Uint16Array(slots.length);
  let count = 0;
  for (let i = 0; i < slots.length; i++) if (retired[slots[i] ?? 0] !== 1) live[count++] = i;
  return live.subarray(0, count);
}
