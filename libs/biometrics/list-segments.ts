import type { ClientId, GalleryId, SegmentId } from '#platform/ids';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { GalleryStore } from './internal/gallery-store.js';

/** The segments of a gallery that hold a template now, oldest first. */
export class ListSegments extends Query<readonly SegmentId[]> {
  constructor(
    readonly clientId: ClientId,
    readonly galleryId: GalleryId,
  ) {
    super();
  }
}

@QueryHandler(ListSegments)
export class ListSegmentsHandler implements IQueryHandler<ListSegments> {
  constructor(
    private readonly db: DataSource,
    private readonly galleries: GalleryStore,
  ) {}

  async execute({ clientId, galleryId }: ListSegments): Promise<readonly SegmentId[]> {
    await this.galleries.require(clientId, galleryId);
    // Rows that are moving get there first; from now on none does: see open-deduplication.ts.
    await this.db.query('SELECT 1 FROM gallery WHERE id = $1 FOR SHARE', [galleryId]);
    const rows = await this.db.query<{ segment_id: SegmentId }[]>(
      'SELECT DISTINCT segment_id FROM template WHERE gallery_id = $1 ORDER BY segment_id',
      [galleryId],
    );
    return rows.map(({ segment_id }) => segment_id);
  }
}
