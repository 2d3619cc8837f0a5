import { asMaskSeed } from '#homomorphic/mask-seed';
import { SLOTS_PER_SEGMENT } from '#homomorphic/parameters';
import type { GalleryId, SegmentId } from '#platform/ids';
import type { DataSource } from 'typeorm';
import { OpeningRefused, SegmentUnknown } from '../custody.errors.js';
import type { Place } from '../key-custodian.js';
import type { WrappedSecret } from './seal-calls.js';

/** Galleries whose segments are remembered; 600 bytes for each 2,048 templates. */
const GALLERIES_KNOWN = 1_000;

/** Slots `first` to `first` + `count` - 1, whose pads nobody else will ever be given. */
export interface TakenSlots {
  readonly key: WrappedSecret;
  readonly dimension: number;
  readonly first: number;
  readonly count: number;
}

export interface NamedSlots {
  readonly segmentId: SegmentId;
  readonly slots: Uint16Array<ArrayBuffer>;
}

interface KnownSegment {
  readonly key: WrappedSecret;
  /** At least so many slots are used. */
  readonly used: number;
}

interface SegmentRow {
  readonly id: SegmentId;
  readonly secret: Buffer;
  readonly mask_seed: Buffer;
  readonly under_share: boolean;
  readonly share: Buffer | null;
  readonly dimension: number;
  readonly used: number;
}

/**
 * Who was given which slot. A count only ever grows, so what was once seen used is remembered; what was not is looked
 * up each time.
 */
export class SegmentLedger {
  /** In the order of their last use. */
  private readonly known = new Map<GalleryId, Map<SegmentId, KnownSegment>>();

  constructor(private readonly db: DataSource) {}

  /**
   * Gives up to `most` slots of one segment, or nothing if no segment has any left. It commits before a pad is used: if
   * whatever follows fails or the process dies, the slots are lost and never given again. Two rows under one pad would
   * show the difference of two templates.
   */
  async take(galleryId: GalleryId, most: number): Promise<TakenSlots | undefined> {
    // TypeORM answers UPDATE … RETURNING as [rows, count].
    const [[taken]] = await this.db.query<[(SegmentRow & { first: number })[], number]>(
      `WITH free AS (SELECT s.id, s.used FROM custody.segment s
                     JOIN custody.key_set k ON k.gallery_id = s.gallery_id AND k.generation = s.generation
                     WHERE s.gallery_id = $1 AND s.used < $2 ORDER BY s.id LIMIT 1 FOR UPDATE OF s)
       UPDATE custody.segment s SET used = least($2, free.used + $3)
       FROM free, custody.key_set k LEFT JOIN custody.key_share USING (gallery_id)
       WHERE s.id = free.id AND k.gallery_id = s.gallery_id
       RETURNING s.id, s.secret, s.used, s.under_share, share, free.used AS first, k.mask_seed, k.dimension`,
      [galleryId, SLOTS_PER_SEGMENT, most],
    );
    if (taken === undefined) return undefined;
    const { first, used, dimension } = taken;
    return { key: keyOf(galleryId, taken), dimension, first, count: used - first };
  }

  /**
   * The keys of these segments, in their order. Throws OpeningRefused if one is not the gallery's, or a named slot's pad
   * is unused: opening it leaks bits of it.
   */
  async require(galleryId: GalleryId, segments: readonly NamedSlots[]): Promise<readonly WrappedSecret[]> {
    let known = this.remembered(galleryId);
    const highest = new HighestSlots();
    const isUsed = ({ segmentId, slots }: NamedSlots): boolean =>
      highest.of(slots) < (known.get(segmentId)?.used ?? 0);
    if (!segments.every(({ segmentId }) => known.has(segmentId)) || !segments.every(isUsed)) {
      known = await this.read(galleryId);
      this.known.set(galleryId, known);
    }
    return segments.map((segment) => {
      const { segmentId } = segment;
      const found = known.get(segmentId);
      if (found === undefined) throw new SegmentUnknown('a segment of another gallery');
      if (!isUsed(segment)) throw new OpeningRefused('a slot that holds no row');
      return found.key;
    });
  }

  /** Of these slots those that were not given yet, whatever this process remembers. */
  async countUsable(places: readonly Place[]): Promise<number> {
    const [usable] = await this.db.query<{ n: number }[]>(
      `SELECT count(*)::int AS n FROM unnest($1::uuid[], $2::int[]) AS place (segment_id, slot)
       JOIN custody.segment s ON s.id = place.segment_id WHERE place.slot >= s.used`,
      [places.map(({ segmentId }) => segmentId), places.map(({ slot }) => slot)],
    );
    return usable?.n ?? 0;
  }

  forget(galleryId: GalleryId): void {
    this.known.delete(galleryId);
  }

  private remembered(galleryId: GalleryId): Map<SegmentId, KnownSegment> {
    const known = this.known.get(galleryId) ?? new Map<SegmentId, KnownSegment>();
    this.known.delete(galleryId);
    this.known.set(galleryId, known);
    const [oldest] = this.known.keys();
    if (this.known.size > GALLERIES_KNOWN && oldest !== undefined) this.known.delete(oldest);
    return known;
  }

  private async read(galleryId: GalleryId): Promise<Map<SegmentId, KnownSegment>> {
    const rows = await this.db.query<SegmentRow[]>(
      `SELECT s.id, s.secret, s.used, s.under_share, share, k.mask_seed, k.dimension
       FROM custody.segment s JOIN custody.key_set k ON k.gallery_id = s.gallery_id
       LEFT JOIN custody.key_share h ON h.gallery_id = s.gallery_id WHERE s.gallery_id = $1`,
      [galleryId],
    );
    return new Map(rows.map((row) => [row.id, { key: keyOf(galleryId, row), used: row.used }]));
  }
}

function keyOf(galleryId: GalleryId, row: SegmentRow): WrappedSecret {
  const { id, secret, mask_seed, under_share, share } = row;
  if (under_share && share === null) throw new OpeningRefused('a segment whose share is not there');
  return {
    galleryId,
    segmentId: id,
    maskSeed: asMaskSeed(mask_seed),
    wrapped: new Uint8Array(secret),
    share: under_share && share !== null ? new Uint8Array(share) : undefined,
  };
}

/** The highest slot of each array, -1 of none. Full segments of a search have the same array: it is gone through once. */
class HighestSlots {
  private readonly known = new Map<Uint16Array, number>();

  of(slots: Uint16Array): number {
    const known = this.known.get(slots);
    if (known !== undefined) return known;
    let highest = -1;
    // A loop and no callbacks: a search of a million rows asks for each of them.
    for (let i = 0; i < slots.length; i++) if ((slots[i] ?? 0) > highest) highest = slots[i] ?? 0;
    this.known.set(slots, highest);
    return highest;
  }
}
