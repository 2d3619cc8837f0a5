import { paddedDimension, SLOTS_PER_SEGMENT } from '#homomorphic/parameters';
import { asScore, type QuantisedTemplate } from '#homomorphic/quantised-vector';
import { asMasks, asRow, type MaskMatrix } from '#homomorphic/sealed-row';
import type { Config } from '#platform/config';
import { asId, type GalleryId, type SegmentId } from '#platform/ids';
import { CONFIG } from '#platform/platform.module';
import { Thread } from '#platform/thread';
import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { KeySetNotFound, OpeningRefused } from './custody.errors.js';
import { readKeySet } from './internal/key-set.js';
import type { SealCalls } from './internal/seal-calls.js';
import { SealThreads } from './internal/seal-threads.js';
import { PADS_AHEAD, SegmentOpener } from './internal/segment-opener.js';
import { SpentPads } from './internal/spent-pads.js';
import {
  type Candidate,
  KeyCustodian,
  MOST_CANDIDATES,
  type OpeningRequest,
  type SealedTemplate,
} from './key-custodian.js';

interface TakenPad {
  readonly segment_id: SegmentId;
  readonly slot: number;
  readonly pad: Buffer;
}

/** Custody in this process: keys and pads are opened in threads of its own and nowhere else. */
@Injectable()
export class LocalKeyCustodian extends KeyCustodian implements OnModuleInit, OnApplicationShutdown {
  private readonly threads: SealThreads;
  private readonly opening: Thread<SealCalls>;
  private readonly opener: SegmentOpener;
  private readonly spent: SpentPads;

  constructor(
    private readonly db: DataSource,
    @Inject(CONFIG) config: Config,
  ) {
    super();
    const script = new URL('./seal.worker.js', import.meta.url);
    const keyring = config.secrets.dbEncryptionKeys.serialise();
    this.threads = new SealThreads(script, keyring, config.sealWorkers);
    this.opening = new Thread<SealCalls>(script, keyring);
    this.opener = new SegmentOpener(db, this.opening);
    this.spent = new SpentPads(db);
  }

  /** Loads SEAL and checks it, so that a process that cannot open scores does not start. */
  async onModuleInit(): Promise<void> {
    await Promise.all([this.ready(), this.opening.call('ready', null)]);
  }

  async ready(): Promise<void> {
    await this.threads.ready();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.opener.close();
    await Promise.all([this.threads.close(), this.opening.close()]);
  }

  async createKeySet(galleryId: GalleryId, dimension: number): Promise<void> {
    const wrapped = await this.threads.createKey(galleryId);
    await this.db.query(
      `INSERT INTO custody.key_set (gallery_id, dimension, secret_key) VALUES ($1, $2, $3)
       ON CONFLICT (gallery_id) DO NOTHING`,
      [galleryId, dimension, Buffer.from(wrapped)],
    );
  }

  preparePads(galleryId: GalleryId): void {
    this.opener.openAhead(galleryId);
  }

  async seal(galleryId: GalleryId, template: QuantisedTemplate): Promise<SealedTemplate> {
    const taken = (await this.takePad(galleryId)) ?? (await this.takeFromNewSegment(galleryId));
    const { segment_id: segmentId, slot, pad } = taken;
    // The last pads of a segment are used while the next is opened.
    if (slot >= SLOTS_PER_SEGMENT - PADS_AHEAD) this.opener.openAhead(galleryId);
    const row = await this.threads.seal({ galleryId, segmentId, slot, pad, template });
    return { segmentId, slot, row: asRow(row, template.length) };
  }

  async masks(galleryId: GalleryId, segmentId: SegmentId): Promise<MaskMatrix> {
    const [segment] = await this.db.query<{ masks: Buffer; dimension: number }[]>(
      `SELECT s.masks, k.dimension FROM custody.segment s JOIN custody.key_set k ON k.gallery_id = s.gallery_id
       WHERE s.id = $1 AND s.gallery_id = $2`,
      [segmentId, galleryId],
    );
    if (segment === undefined) throw new KeySetNotFound();
    return asMasks(new Uint8Array(segment.masks), paddedDimension(segment.dimension), SLOTS_PER_SEGMENT);
  }

  async openScores({ galleryId, segments, threshold, limit }: OpeningRequest): Promise<readonly Candidate[]> {
    if (limit > MOST_CANDIDATES) throw new OpeningRefused('more candidates than the custodian gives out');
    const { key } = await readKeySet(this.db.manager, galleryId);
    await this.spent.require(galleryId, segments);
    const opened = await this.threads.openScores({ key, segments, threshold, limit });
    return opened.map(({ segmentId, slot, score }) => ({
      segmentId: asId<'segment'>(segmentId),
      slot,
      score: asScore(score),
    }));
  }

  async destroy(galleryId: GalleryId): Promise<void> {
    await this.db.query('DELETE FROM custody.key_set WHERE gallery_id = $1', [galleryId]);
    this.spent.forget(galleryId);
    await this.threads.forget(galleryId);
    await this.opening.call('forget', { galleryId });
  }

  /**
   * The DELETE commits before the pad is used, in a transaction of its own: if whatever follows fails or the process
   * dies, the pad is lost and never used again. Two rows under one pad would show the difference of two templates.
   */
  private async takePad(galleryId: GalleryId): Promise<TakenPad | undefined> {
    // TypeORM answers DELETE … RETURNING as [rows, count].
    const [[taken]] = await this.db.query<[TakenPad[], number]>(
      `DELETE FROM custody.pad WHERE (gallery_id, segment_id, slot) = (
         SELECT gallery_id, segment_id, slot FROM custody.pad WHERE gallery_id = $1
         ORDER BY gallery_id, segment_id, slot LIMIT 1 FOR UPDATE SKIP LOCKED)
       RETURNING segment_id, slot, pad`,
      [galleryId],
    );
    return taken;
  }

  private async takeFromNewSegment(galleryId: GalleryId): Promise<TakenPad> {
    for (;;) {
      await this.opener.open(galleryId, 1);
      // Others may have taken all of a segment's pads in the meantime: then the next one is opened.
      const taken = await this.takePad(galleryId);
      if (taken !== undefined) return taken;
    }
  }
}
