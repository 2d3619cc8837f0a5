import type { GalleryId } from '#platform/ids';
import type { DataSource } from 'typeorm';
import { KeySetNotFound } from '../custody.errors.js';
import { type KeySet, readKeySet } from './key-set.js';

/** Whoever read a key before it was destroyed has handed it to a thread by then. */
const LONGEST_CALL_MS = 60_000;

const DESTROYED = Number.POSITIVE_INFINITY;

interface SeenKeys {
  /** The first generation that is still there; DESTROYED if none is. */
  readonly oldest: number;
  readonly forgetAgainAt?: number;
}

/** Galleries whose keys this process may have in its memory: what is destroyed, by whichever replica, leaves it, too. */
export class KeysInUse {
  private readonly seen = new Map<GalleryId, SeenKeys>();

  constructor(
    private readonly db: DataSource,
    private readonly forget: (galleryId: GalleryId) => Promise<void>,
  ) {}

  /** MUST come before a key of the gallery is read. */
  note(galleryId: GalleryId): void {
    if (!this.seen.has(galleryId)) this.seen.set(galleryId, { oldest: 1 });
  }

  /** The key set as it is now; keys that were destroyed since are forgotten. Throws KeySetNotFound. */
  async keySetOf(galleryId: GalleryId): Promise<KeySet> {
    this.note(galleryId);
    try {
      const keySet = await readKeySet(this.db.manager, galleryId);
      await this.compare(galleryId, keySet.oldest);
      return keySet;
    } catch (error) {
      if (error instanceof KeySetNotFound) await this.compare(galleryId, DESTROYED);
      throw error;
    }
  }

  /** For galleries that nobody asks about any more, and calls that had read a key when it was forgotten. */
  async sweep(): Promise<void> {
    const noted = [...this.seen.keys()];
    const rows = await this.db.query<{ id: GalleryId; oldest: number }[]>(
      'SELECT gallery_id AS id, oldest FROM custody.key_set WHERE gallery_id = ANY($1)',
      [noted],
    );
    const there = new Map(rows.map(({ id, oldest }) => [id, oldest]));
    for (const galleryId of noted) await this.compare(galleryId, there.get(galleryId) ?? DESTROYED);
    for (const [galleryId, { oldest, forgetAgainAt = Infinity }] of this.seen) {
      if (forgetAgainAt > Date.now()) continue;
      await this.forget(galleryId);
      if (oldest === DESTROYED) this.seen.delete(galleryId);
      else this.seen.set(galleryId, { oldest });
    }
  }

  private async compare(galleryId: GalleryId, oldest: number): Promise<void> {
    if ((this.seen.get(galleryId)?.oldest ?? 1) >= oldest) return;
    await this.forget(galleryId);
    this.seen.set(galleryId, { oldest, forgetAgainAt: Date.now() + LONGEST_CALL_MS });
  }
}
