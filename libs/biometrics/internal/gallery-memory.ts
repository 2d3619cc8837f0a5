import type { GalleryId } from '#platform/ids';
import type { LastingGallery } from './gallery.entity.js';
import { HeldGallery } from './held-gallery.js';
import type { MatchThreads } from './match-threads.js';

export interface HeldSizes {
  readonly galleries: number;
  readonly rowBytes: number;
  readonly maskBytes: number;
}

/** The galleries that this process holds, within a budget of bytes for rows and masks. */
export class GalleryMemory {
  /** In the order of their last use. */
  private readonly held = new Map<GalleryId, HeldGallery>();

  constructor(
    private readonly threads: MatchThreads,
    private readonly budget: number,
  ) {}

  get(gallery: LastingGallery): HeldGallery {
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

  /** Galleries of which something is held, and the bytes of their rows and of their masks. */
  get sizes(): HeldSizes {
    const loaded = [...this.held.values()].filter(({ resident }) => resident.size > 0);
    const total = loaded.reduce((sum, { bytes }) => sum + bytes, 0);
    const maskBytes = loaded.reduce((sum, { id, resident }) => sum + (resident.get(id) ?? 0), 0);
    return { galleries: loaded.length, rowBytes: total - maskBytes, maskBytes };
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
