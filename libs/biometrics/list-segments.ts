import type { GalleryId, SegmentId } from '#platform/ids';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

/** The segments of a gallery that hold a template now, oldest first. */
export class ListSegments extends Query<readonly SegmentId[]> {
  constructor(readonly galleryId: GalleryId) {
    super();
  }
}

@QueryHandler(ListSegments)
export class ListSegmentsHandler implements IQueryHandler<ListSegments> {
  constructor(private readonly db: DataSource) {}

  async execute({ galleryId }: ListSegments): Promise<readonly SegmentId[]> {
    const rows = await this.db.query<{ segment_id: SegmentId }[]>(
      'SELECT DISTINCT segment_id FROM template WHERE gallery_id = $1 ORDER BY segment_id',
      [galleryId],
    );
    return rows.map(({ segment_id }) => segment_id);
  }
}
