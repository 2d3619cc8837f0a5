import type { GalleryId } from '#platform/ids';
import type { Gallery } from './gallery.entity.js';
import { HeldGallery } from './held-gallery.js';
import type { MatchThreads } from './match-threads.js';

/** The galleries that this process holds, within a budget of bytes for rows and masks. */
export class GalleryMemory {
  /** In the order of their last use. */
  private readonly held = new Map<GalleryId, HeldGallery>();

  constructor(
    private readonly threads: MatchThreads,
    private readonly budget: number,
  ) {}

  get(gallery: Gallery): HeldGallery {
    const held = this.held.get(gallery.id) ?? new HeldGallery(gallery);
    this.held.delete(gallery.id);
    this.held.set(gallery.id, held);
    return held;
  }

  /**
   * Drops galleries that nobody uses, the one used least recently first, until `bytes` more fit; answers whether they
   * do.
   */
  makeRoom(bytes: number): boolean {
    let total = [...this.held.values()].reduce((sum, held) => sum + held.bytes, bytes);
    for (const [galleryId, held] of this.held) {
      if (total <= this.budget) return true;
      if (held.inUse) continue;
      total -= held.bytes;
      this.forget(galleryId);
    }
    return total <= this.budget;
  }

  forget(galleryId: GalleryId): void {
    const held = this.held.get(galleryId);
    this.held.delete(galleryId);
    if (held !== undefined) this.threads.drop([...held.resident.keys()]);
  }

  clear(): void {
    this.held.clear();
    this.threads.dropAll();
  }
}
