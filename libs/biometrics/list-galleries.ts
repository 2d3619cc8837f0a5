import type { ClientId } from '#platform/ids';
import { Cursors, type Page, type PageRequest } from '#platform/page';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { type GalleryView, showGallery } from './find-gallery.js';
import { Gallery } from './internal/gallery.entity.js';

export class ListGalleries extends Query<Page<GalleryView>> {
  constructor(
    readonly clientId: ClientId,
    readonly page: PageRequest,
  ) {
    super();
  }
}

@QueryHandler(ListGalleries)
export class ListGalleriesHandler implements IQueryHandler<ListGalleries> {
  constructor(
    private readonly db: DataSource,
    private readonly cursors: Cursors,
  ) {}

  async execute({ clientId, page }: ListGalleries): Promise<Page<GalleryView>> {
    const list = `galleries ${clientId}`;
    const query = this.db
      .createQueryBuilder(Gallery, 'gallery')
      .where('gallery.clientId = :clientId', { clientId })
      .orderBy('gallery.id')
      .take(page.limit + 1);
    if (page.cursor !== undefined) {
      query.andWhere('gallery.id > :after', { after: this.cursors.decode(list, page.cursor) });
    }
    return this.cursors.page(list, page, await query.getMany(), showGallery);
  }
}
