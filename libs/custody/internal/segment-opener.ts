import { paddedDimension } from '#homomorphic/parameters';
import { type GalleryId, newId } from '#platform/ids';
import type { Thread } from '#platform/thread';
import { Logger } from '@nestjs/common';
import type { DataSource } from 'typeorm';
import { readKeySet } from './key-set.js';
import type { SealCalls } from './seal-calls.js';

/** So many unused pads are kept ready: opening a segment takes longer than an enrolment may. */
export const PADS_AHEAD = 256;

/** Opens segments in a thread of its own, so that neither sealing nor opening scores waits for it. */
export class SegmentOpener {
  private readonly logger = new Logger('custody');
  private readonly underWay = new Map<GalleryId, Promise<void>>();
  private readonly awaited = new Set<GalleryId>();
  private background: Promise<void> = Promise.resolve();
  private closed = false;

  constructor(
    private readonly db: DataSource,
    private readonly thread: Thread<SealCalls>,
  ) {}

  /** Opens one more segment of N pads, unless `least` pads are unused; whoever asks meanwhile waits for the same. */
  async open(galleryId: GalleryId, least: number): Promise<void> {
    const running = this.underWay.get(galleryId);
    if (running !== undefined) return running;
    const opening = this.openSegment(galleryId, least).finally(() => this.underWay.delete(galleryId));
    this.underWay.set(galleryId, opening);
    return opening;
  }

  /** In the background, one gallery after the other. If it fails, the enrolment that needs a pad is told why. */
  openAhead(galleryId: GalleryId): void {
    if (this.awaited.has(galleryId)) return;
    this.awaited.add(galleryId);
    this.background = this.background.then(async () => {
      try {
        if (!this.closed) await this.open(galleryId, PADS_AHEAD);
      } catch (error) {
        const errorName = error instanceof Error ? error.name : 'unknown';
        this.logger.warn({ message: 'a segment could not be opened ahead', errorName });
      } finally {
        this.awaited.delete(galleryId);
      }
    });
  }

  /** Waits for the segment that is being opened; those that are only awaited are left to the next start. */
  async close(): Promise<void> {
    this.closed = true;
    await this.background;
  }

  private async openSegment(galleryId: GalleryId, least: number): Promise<void> {
    await this.db.transaction(async (tx) => {
      // One at a time for each gallery: whoever waited finds the pads that the first one made.
      await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 2))', [galleryId]);
      const unused = await tx.query<unknown[]>('SELECT 1 FROM custody.pad WHERE gallery_id = $1 LIMIT $2', [
        galleryId,
        least,
      ]);
      if (unused.length >= least) return;
      const { key, dimension } = await readKeySet(tx, galleryId);
      const segmentId = newId<'segment'>();
      const words = paddedDimension(dimension);
      const { pads, masks } = await this.thread.call('openSegment', { key, segmentId, words });
      await tx.query('INSERT INTO custody.segment (id, gallery_id, masks) VALUES ($1, $2, $3)', [
        segmentId,
        galleryId,
        Buffer.from(masks.buffer),
      ]);
      await tx.query(
        `INSERT INTO custody.pad (gallery_id, segment_id, slot, pad)
         SELECT $1, $2, ordinality - 1, pad FROM unnest($3::bytea[]) WITH ORDINALITY AS made (pad, ordinality)`,
        [galleryId, segmentId, pads.map((pad) => Buffer.from(pad))],
      );
    });
  }
}
