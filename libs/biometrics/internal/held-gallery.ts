import { paddedDimension } from '#homomorphic/parameters';
import type { Score } from '#homomorphic/quantised-vector';
import type { GalleryId, SegmentId } from '#platform/ids';
import { GalleryIndex } from './gallery-index.js';
import type { LastingGallery } from './gallery.entity.js';

/** What this process has of a gallery. */
export class HeldGallery {
  readonly id: GalleryId;
  /** Of a row: the padded dimension. */
  readonly words: number;
  readonly index = new GalleryIndex();
  /** As it was when the gallery was last brought up to date. */
  threshold: Score | undefined;
  /** Bytes of the segments, and of the masks under the gallery's id, that match threads hold. */
  readonly resident = new Map<GalleryId | SegmentId, number>();
  /** Refreshes wait for one another. */
  refreshing: Promise<unknown> = Promise.resolve();
  /** Whoever needs the masks waits for the same. */
  masks: Promise<void> | undefined;
  private users = 0;

  constructor(readonly gallery: LastingGallery) {
    this.id = gallery.id;
    this.words = paddedDimension(gallery.dimension);
  }

  get bytes(): number {
    return [...this.resident.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  get inUse(): boolean {
    return this.users > 0;
  }

  /** While it runs, what is held of the gallery stays. */
  async using<R>(work: () => Promise<R>): Promise<R> {
    this.users++;
    try {
      return await work();
    } finally {
      this.users--;
    }
  }
}
