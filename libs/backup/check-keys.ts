import { KeySetNotFound } from '#custody/custody.errors';
import { KeyCustodian } from '#custody/key-custodian';
import { MIN_DIMENSION, SLOTS_PER_SEGMENT, T } from '#homomorphic/parameters';
import { asQuantisedProbe, asScore } from '#homomorphic/quantised-vector';
import type { ClientId, GalleryId, SegmentId } from '#platform/ids';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { BadBackup } from './cannot-back-up.js';

interface UsedSegment {
  readonly client_id: ClientId;
  readonly gallery_id: GalleryId;
  readonly segment_id: SegmentId;
  readonly slot: number;
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
    const used = await this.db.query<UsedSegment[]>(
      `SELECT g.client_id, t.gallery_id, t.segment_id, min(t.slot) AS slot FROM template t JOIN gallery g ON g.id = t.gallery_id
       GROUP BY g.client_id, t.gallery_id, t.segment_id`,
    );
    // A sum of nothing above a threshold that nothing reaches: the key is unwrapped and used, and no score comes out.
    const probe = asQuantisedProbe(new Int8Array(MIN_DIMENSION));
    const nothing = { probe, limit: 1, threshold: asScore(T / 2 - 1) };
    const zeros = new Uint32Array(SLOTS_PER_SEGMENT);
    for (const { client_id: clientId, gallery_id: galleryId, segment_id: segmentId, slot } of used) {
      const segments = [{ segmentId, slots: Uint16Array.of(slot), c0: zeros.slice() }];
      const opened = this.custodian.openScores({
        clientId,
        galleryId,
        c1: zeros.slice(),
        segments,
        ...nothing,
      });
      await opened.catch((error: unknown) => {
        // The destruction of a gallery was cut off after its keys: nothing of it is to be opened.
        if (error instanceof KeySetNotFound) return;
        throw new BadBackup(`A segment of gallery ${galleryId} does not open with the keys at hand.`);
      });
    }
    return used.length;
  }
}
