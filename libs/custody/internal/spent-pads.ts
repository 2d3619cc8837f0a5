import type { GalleryId, SegmentId } from '#platform/ids';
import type { DataSource } from 'typeorm';
import { OpeningRefused } from '../custody.errors.js';

interface NamedSlots {
  readonly segmentId: SegmentId;
  readonly slots: readonly number[];
}

/**
 * Knows which slots hold a row. A spent pad never comes back, so what was once seen spent is remembered; what was
 * not is looked up each time.
 */
export class SpentPads {
  private readonly seen = new Map<GalleryId, Map<SegmentId, Set<number>>>();

  constructor(private readonly db: DataSource) {}

  /** Throws OpeningRefused if a segment is not the gallery's, or a named slot's pad is unused: opening it leaks bits. */
  async require(galleryId: GalleryId, segments: readonly NamedSlots[]): Promise<void> {
    const gallery = this.seen.get(galleryId) ?? new Map<SegmentId, Set<number>>();
    this.seen.set(galleryId, gallery);
    const unseen = segments.flatMap(({ segmentId, slots }) => {
      const spent = gallery.get(segmentId);
      const unknown = spent === undefined ? [...slots] : slots.filter((slot) => !spent.has(slot));
      return spent === undefined || unknown.length > 0 ? [{ segmentId, slots: unknown }] : [];
    });
    if (unseen.length === 0) return;
    await this.check(galleryId, unseen);
    for (const { segmentId, slots } of unseen) {
      const spent = gallery.get(segmentId) ?? new Set<number>();
      for (const slot of slots) spent.add(slot);
      gallery.set(segmentId, spent);
    }
  }

  forget(galleryId: GalleryId): void {
    this.seen.delete(galleryId);
  }

  private async check(galleryId: GalleryId, named: readonly NamedSlots[]): Promise<void> {
    const [found] = await this.db.query<{ known: number; unused: number }[]>(
      `WITH named AS (
         SELECT segment_id, slot FROM unnest($2::uuid[], $3::int[]) AS n (segment_id, slot))
       SELECT
         (SELECT count(*)::int FROM custody.segment WHERE gallery_id = $1 AND id = ANY($4::uuid[])) AS known,
         (SELECT count(*)::int FROM named JOIN custody.pad p
            ON p.gallery_id = $1 AND p.segment_id = named.segment_id AND p.slot = named.slot) AS unused`,
      [
        galleryId,
        named.flatMap(({ segmentId, slots }) => slots.map(() => segmentId)),
        named.flatMap(({ slots }) => slots),
        named.map(({ segmentId }) => segmentId),
      ],
    );
    if (found?.known !== named.length) throw new OpeningRefused('a segment of another gallery');
    if (found.unused > 0) throw new OpeningRefused('a slot that holds no row');
  }
}
