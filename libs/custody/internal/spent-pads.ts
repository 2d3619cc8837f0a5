import { SLOTS_PER_SEGMENT } from '#homomorphic/parameters';
import type { GalleryId, SegmentId } from '#platform/ids';
import type { DataSource } from 'typeorm';
import { OpeningRefused } from '../custody.errors.js';

interface NamedSlots {
  readonly segmentId: SegmentId;
  readonly slots: Uint16Array;
}

/** 1 for each slot whose pad was seen spent. */
type Spent = Uint8Array;

/**
 * Knows which slots hold a row. A spent pad never comes back, so what was once seen spent is remembered; what was
 * not is looked up each time.
 */
export class SpentPads {
  private readonly seen = new Map<GalleryId, Map<SegmentId, Spent>>();

  constructor(private readonly db: DataSource) {}

  /** Throws OpeningRefused if a segment is not the gallery's, or a named slot's pad is unused: opening it leaks bits. */
  async require(galleryId: GalleryId, segments: readonly NamedSlots[]): Promise<void> {
    const gallery = this.seen.get(galleryId) ?? new Map<SegmentId, Spent>();
    this.seen.set(galleryId, gallery);
    const doubtful = segments.filter(({ segmentId, slots }) => {
      const spent = gallery.get(segmentId);
      return spent === undefined || !slots.every((slot) => spent[slot] === 1);
    });
    if (doubtful.length === 0) return;
    const unused = await this.unusedPads(
      galleryId,
      doubtful.map(({ segmentId }) => segmentId),
    );
    for (const { segmentId, slots } of doubtful) {
      const free = unused.get(segmentId);
      if (free === undefined) throw new OpeningRefused('a segment of another gallery');
      if (slots.some((slot) => slot >= SLOTS_PER_SEGMENT || free.has(slot))) {
        throw new OpeningRefused('a slot that holds no row');
      }
      const spent = gallery.get(segmentId) ?? new Uint8Array(SLOTS_PER_SEGMENT);
      for (const slot of slots) spent[slot] = 1;
      gallery.set(segmentId, spent);
    }
  }

  forget(galleryId: GalleryId): void {
    this.seen.delete(galleryId);
  }

  /** Of those segments that are the gallery's: the slots whose pads are still there. */
  private async unusedPads(
    galleryId: GalleryId,
    segmentIds: readonly SegmentId[],
  ): Promise<ReadonlyMap<SegmentId, ReadonlySet<number>>> {
    const rows = await this.db.query<{ id: SegmentId; unused: number[] }[]>(
      `SELECT s.id, array(SELECT p.slot FROM custody.pad p WHERE p.gallery_id = $1 AND p.segment_id = s.id) AS unused
       FROM custody.segment s WHERE s.gallery_id = $1 AND s.id = ANY($2)`,
      [galleryId, [...new Set(segmentIds)]],
    );
    return new Map(rows.map(({ id, unused }) => [id, new Set(unused)]));
  }
}
