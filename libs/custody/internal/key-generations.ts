import type { GalleryId, KeyRotationId, SegmentId } from '#platform/ids';
import type { DataSource } from 'typeorm';
import { CustodyNotAdopted, OpeningRefused } from '../custody.errors.js';
import { adoptionDue } from './adoption.js';
import { holdSegments, readKeySet } from './key-set.js';

/** Which keys of a gallery are being replaced (docs/adr/0038-a-gallery-gets-new-keys.md). */
export class KeyGenerations {
  constructor(
    private readonly db: DataSource,
    private readonly adoptionHours: number,
  ) {}

  /** Once for each rotation; answers the segments of earlier generations. Throws KeySetNotFound, and CustodyNotAdopted. */
  async begin(galleryId: GalleryId, rotationId: KeyRotationId): Promise<readonly SegmentId[]> {
    return this.db.transaction(async (tx) => {
      await holdSegments(tx, galleryId);
      await readKeySet(tx, galleryId);
      const due = await adoptionDue(tx, this.adoptionHours);
      if (due !== undefined) throw new CustodyNotAdopted(due);
      const [begun] = await tx.query<{ generation: number }[]>(
        `INSERT INTO custody.rotation (id, gallery_id, generation)
         SELECT $2, gallery_id, generation + 1 FROM custody.key_set WHERE gallery_id = $1
         ON CONFLICT (id) DO NOTHING RETURNING generation`,
        [galleryId, rotationId],
      );
      if (begun !== undefined) {
        await tx.query('UPDATE custody.key_set SET generation = $2 WHERE gallery_id = $1', [
          galleryId,
          begun.generation,
        ]);
      }
      const earlier = await tx.query<{ id: SegmentId }[]>(
        `SELECT s.id FROM custody.segment s JOIN custody.key_set k ON k.gallery_id = s.gallery_id
         WHERE s.gallery_id = $1 AND s.generation < k.generation ORDER BY s.id`,
        [galleryId],
      );
      return earlier.map(({ id }) => id);
    });
  }

  /** Throws OpeningRefused if rows of the segment need not move: whoever asks wants something else. */
  async requireEarlier(galleryId: GalleryId, segmentId: SegmentId): Promise<void> {
    const [earlier] = await this.db.query<unknown[]>(
      `SELECT 1 FROM custody.segment s JOIN custody.key_set k ON k.gallery_id = s.gallery_id
       WHERE s.id = $2 AND s.gallery_id = $1 AND s.generation < k.generation`,
      [galleryId, segmentId],
    );
    if (earlier === undefined) throw new OpeningRefused('a segment that is not being replaced');
  }

  async destroy(galleryId: GalleryId, segmentIds: readonly SegmentId[]): Promise<void> {
    await this.db.transaction(async (tx) => {
      await holdSegments(tx, galleryId);
      // Before its segments, as whoever retires slots or destroys the gallery holds them: no deadlock.
      await tx.query('SELECT FROM custody.key_set WHERE gallery_id = $1 FOR NO KEY UPDATE', [galleryId]);
      await tx.query(
        `DELETE FROM custody.segment s USING custody.key_set k
         WHERE k.gallery_id = $1 AND s.gallery_id = $1 AND s.id = ANY($2) AND s.generation < k.generation`,
        [galleryId, segmentIds],
      );
      await tx.query(
        `UPDATE custody.key_set k SET oldest =
           coalesce((SELECT min(s.generation) FROM custody.segment s WHERE s.gallery_id = k.gallery_id), k.generation)
         WHERE k.gallery_id = $1`,
        [galleryId],
      );
    });
  }
}
