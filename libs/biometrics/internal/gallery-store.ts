import type { ClientId, GalleryId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { GalleryNotFound } from '../biometrics.errors.js';
import { Gallery } from './gallery.entity.js';

@Injectable()
export class GalleryStore {
  constructor(private readonly db: DataSource) {}

  /** The client's gallery; another client's is as unknown as one that does not exist. */
  async require(clientId: ClientId, galleryId: GalleryId): Promise<Gallery> {
    const gallery = await this.db.manager.findOneBy(Gallery, { id: galleryId, clientId });
    if (gallery === null) throw new GalleryNotFound();
    return gallery;
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
