import { KeySetNotFound } from '#custody/custody.errors';
import { KeyCustodian } from '#custody/key-custodian';
import type { GalleryId, SegmentId } from '#platform/ids';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { BadBackup } from './cannot-back-up.js';

interface UsedSegments {
  readonly gallery_id: GalleryId;
  readonly segment_ids: readonly SegmentId[];
}

/** Whether the keys at hand open every segment that holds a template; answers how many there are. Throws if not. */
export class CheckKeys extends Query<number> {}

@QueryHandler(CheckKeys)
export class CheckKeysHandler implements IQueryHandler<CheckKeys> {
  constructor(
    private readonly db: DataSource,
    private readonly custodian: KeyCustodian,
  ) {}

  async execute(): Promise<number> {
    const used = await this.db.query<UsedSegments[]>(
      'SELECT gallery_id, array_agg(DISTINCT segment_id) AS segment_ids FROM template GROUP BY gallery_id',
    );
    let count = 0;
    for (const { gallery_id: galleryId, segment_ids: segmentIds } of used) {
      count += segmentIds.length;
      await this.custodian.checkKeys(galleryId, segmentIds).catch((error: unknown) => {
        // The destruction of a gallery was cut off after its keys: nothing of it is to be opened.
        if (error instanceof KeySetNotFound) return;
        throw new BadBackup(`A segment of gallery ${galleryId} does not open with the keys at hand.`);
      });
    }
    return count;
  }
}
