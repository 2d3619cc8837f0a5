import type { ClientId, GalleryId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { GalleryNotFound } from '../biometrics.errors.js';
import { Gallery, type LastingGallery } from './gallery.entity.js';

const GALLERIES_REMEMBERED = 1_000;

@Injectable()
export class GalleryStore {
  private readonly remembered = new Map<GalleryId, LastingGallery>();

  constructor(private readonly db: DataSource) {}

  /** The client's gallery; another client's is as unknown as one that does not exist. */
  async require(clientId: ClientId, galleryId: GalleryId): Promise<Gallery> {
    const gallery = await this.db.manager.findOneBy(Gallery, { id: galleryId, clientId });
    if (gallery === null) throw new GalleryNotFound();
    return gallery;
  }

  /**
   * The same from memory, where it was required before, without its threshold. It may have been destroyed
   * since, so before the caller tells of anything else that is missing, it MUST require it.
   */
  async recall(clientId: ClientId, galleryId: GalleryId): Promise<LastingGallery> {
    const known = this.remembered.get(galleryId);
    if (known?.clientId === clientId) return known;
    const gallery = await this.require(clientId, galleryId);
    this.remembered.set(galleryId, gallery);
    const [oldest] = this.remembered.keys();
    if (this.remembered.size > GALLERIES_REMEMBERED && oldest !== undefined) this.remembered.delete(oldest);
    return gallery;
  }

  forget(galleryId: GalleryId): void {
    this.remembered.delete(galleryId);
  }

  /** Holds several until `tx` ends, in the order of their ids: no deadlock. Answers those that are still there. */
  async hold(tx: EntityManager, galleryIds: readonly GalleryId[]): Promise<GalleryId[]> {
    const rows = await tx.query<{ id: GalleryId }[]>(
      'SELECT id FROM gallery WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE',
      [galleryIds],
    );
    return rows.map(({ id }) => id);
  }

  /** Takes the gallery's next version; holds its row until `tx` ends, so that versions commit in their order. */
  async nextVersion(tx: EntityManager, galleryId: GalleryId): Promise<string> {
    // TypeORM answers UPDATE … RETURNING as [rows, count].
    const [[row]] = await tx.query<[{ version: string }[], number]>(
      'UPDATE gallery SET version = version + 1 WHERE id = $1 RETURNING version',
      [galleryId],
    );
    if (row === undefined) throw new GalleryNotFound();
    return row.version;
  }
}
