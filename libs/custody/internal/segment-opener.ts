import { paddedDimension, SLOTS_PER_SEGMENT } from '#homomorphic/parameters';
import { type GalleryId, newId } from '#platform/ids';
import { timed } from '#platform/metrics';
import type { Thread } from '#platform/thread';
import { Logger } from '@nestjs/common';
import type { DataSource } from 'typeorm';
import { mayAdopt } from './adoption.js';
import { holdSegments, readKeySet } from './key-set.js';
import { ensureShare } from './key-share.js';
import type { SealCalls } from './seal-calls.js';

/** So many free slots are kept ready: making a segment's pads takes longer than an enrolment may. */
export const SLOTS_AHEAD = 256;

/** Opens segments: one key, and nothing else, is stored for each. */
export class SegmentOpener {
  private readonly logger = new Logger('custody');
  private readonly underWay = new Map<GalleryId, Promise<void>>();
  private readonly ahead = new Map<GalleryId, Promise<void>>();

  constructor(
    private readonly db: DataSource,
    private readonly thread: Thread<SealCalls>,
    private readonly adoptionHours: number,
  ) {}

  /** Opens one more segment of N slots, unless `least` are free; whoever asks meanwhile waits for the same. */
  async open(galleryId: GalleryId, least: number): Promise<void> {
    const running = this.underWay.get(galleryId);
    if (running !== undefined) return running;
    const opening = timed('open_segment', () => this.openSegment(galleryId, least)).finally(() =>
      this.underWay.delete(galleryId),
    );
    this.underWay.set(galleryId, opening);
    return opening;
  }

  /** In the background, with its pads. If it fails, the enrolment that needs a slot is told why. */
  openAhead(galleryId: GalleryId): void {
    if (this.ahead.has(galleryId)) return;
    const opening = this.open(galleryId, SLOTS_AHEAD)
      .catch((error: unknown) => {
        const errorName = error instanceof Error ? error.name : 'unknown';
        this.logger.warn({ message: 'a segment could not be opened ahead', errorName });
      })
      .finally(() => this.ahead.delete(galleryId));
    this.ahead.set(galleryId, opening);
  }

  async close(): Promise<void> {
    await Promise.all(this.ahead.values());
  }

  private async openSegment(galleryId: GalleryId, least: number): Promise<void> {
    const segmentId = newId<'segment'>();
    const opened = await this.db.transaction(async (tx) => {
      // One at a time for each gallery: whoever waited finds the segment that the first one opened.
      await holdSegments(tx, galleryId);
      const [free] = await tx.query<{ slots: string }[]>(
        `SELECT coalesce(sum($2 - s.used), 0) AS slots FROM custody.segment s
         JOIN custody.key_set k ON k.gallery_id = s.gallery_id AND k.generation = s.generation WHERE s.gallery_id = $1`,
        [galleryId, SLOTS_PER_SEGMENT],
      );
      if (Number(free?.slots) >= least) return undefined;
      const { dimension, maskSeed } = await readKeySet(tx, galleryId);
      const share = (await mayAdopt(tx, this.adoptionHours)) ? await ensureShare(tx, galleryId) : undefined;
      const wrapped = await this.thread.call('createSecret', { galleryId, segmentId, maskSeed, share });
      await tx.query(
        `INSERT INTO custody.segment (id, gallery_id, secret, under_share, generation)
         SELECT $1, gallery_id, $3, $4, generation FROM custody.key_set WHERE gallery_id = $2`,
        [segmentId, galleryId, Buffer.from(wrapped), share !== undefined],
      );
      return { key: { galleryId, segmentId, maskSeed, wrapped, share }, words: paddedDimension(dimension) };
    });
    // Whoever waits for a slot need not wait for this; if it fails, the first template to be sealed makes the pads.
    if (opened !== undefined) this.thread.call('preparePads', opened).catch(() => undefined);
  }
}
