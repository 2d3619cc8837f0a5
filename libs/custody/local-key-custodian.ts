import { type MaskSeed, newMaskSeed } from '#homomorphic/mask-seed';
import type { QuantisedTemplate } from '#homomorphic/quantised-vector';
import type { CustodyConfig } from '#platform/config';
import type { GalleryId, KeyRotationId, SegmentId } from '#platform/ids';
import { CONFIG } from '#platform/platform.module';
import { RepeatedTask } from '#platform/repeated-task';
import { Thread } from '#platform/thread';
import {
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { CustodyDatabase } from './custody-database.js';
import { OpeningRefused } from './custody.errors.js';
import { ComparisonLimits } from './internal/comparison-limits.js';
import { KeyGenerations } from './internal/key-generations.js';
import { KeysInUse } from './internal/keys-in-use.js';
import { OpeningCounts } from './internal/opening-counts.js';
import { OpeningLimits } from './internal/opening-limits.js';
import { OpeningRecords } from './internal/opening-records.js';
import { PairComparison } from './internal/pair-comparison.js';
import { RetiredSlots } from './internal/retired-slots.js';
import { Rewrapping } from './internal/rewrapping.js';
import type { SealCalls } from './internal/seal-calls.js';
import { ScoreOpening } from './internal/score-opening.js';
import { SealThreads } from './internal/seal-threads.js';
import { SegmentLedger } from './internal/segment-ledger.js';
import { SegmentOpener } from './internal/segment-opener.js';
import { TemplateSealing } from './internal/template-sealing.js';
import {
  type AlikePair,
  type Candidate,
  type ComparisonRequest,
  type GalleryScores,
  type HeldSecrets,
  KeyCustodian,
  type OpeningRequest,
  type Place,
  type PlacedRows,
  type SealedTemplate,
} from './key-custodian.js';
import { WrappingKeys } from './wrapping-keys.js';

/** How often this looks for secrets under another key than the first. */
const REWRAPPING_MS = 5_000;

/** How long a key that another replica destroyed may stay in this one's memory. */
const FORGETTING_MS = 5_000;

/** How often records and counts that are too old are removed. */
const CLEARING_MS = 3_600_000;

/** Custody in this process: keys and pads are in threads of its own and nowhere else. */
@Injectable()
export class LocalKeyCustodian
  extends KeyCustodian
  implements OnModuleInit, OnApplicationBootstrap, OnApplicationShutdown
{
  private readonly opening: SealThreads;
  /** Apart from those that open scores: making a segment's pads takes some fifty milliseconds. */
  private readonly sealing: Thread<SealCalls>;
  /** Apart from both, and there only once it is needed: a pair of segments takes tens of milliseconds. */
  private readonly comparing: Thread<SealCalls>;
  private readonly opener: SegmentOpener;
  private readonly ledger: SegmentLedger;
  private readonly templates: TemplateSealing;
  private readonly pairs: PairComparison;
  private readonly rewrapping: Rewrapping;
  private readonly rewrappingTask: RepeatedTask;
  private readonly generations: KeyGenerations;
  private readonly inUse: KeysInUse;
  private readonly forgettingTask: RepeatedTask;
  private readonly clearingTask: RepeatedTask;
  private readonly scores: ScoreOpening;
  private readonly retired: RetiredSlots;

  constructor(
    private readonly db: CustodyDatabase,
    @Inject(CONFIG) config: CustodyConfig,
    keys: WrappingKeys,
  ) {
    super();
    const script = new URL('./seal.worker.js', import.meta.url);
    const texts = keys.texts;
    this.opening = new SealThreads(script, texts, config.sealWorkers);
    this.sealing = new Thread<SealCalls>(script, texts);
    this.comparing = new Thread<SealCalls>(script, texts);
    this.opener = new SegmentOpener(db, this.sealing, keys.adoptionHours);
    this.ledger = new SegmentLedger(db);
    this.retired = new RetiredSlots(db);
    this.generations = new KeyGenerations(db, keys.adoptionHours);
    this.inUse = new KeysInUse(db, (galleryId) => this.forget(galleryId));
    this.forgettingTask = new RepeatedTask('destroyed-keys', FORGETTING_MS, () => this.inUse.sweep());
    const { ledger, opener, retired, opening, generations, inUse } = this;
    const [records, counts] = [new OpeningRecords(db), new OpeningCounts(db)];
    const limits = new OpeningLimits(counts, config.openings);
    const comparisons = new ComparisonLimits(db, counts, config.openings);
    this.templates = new TemplateSealing(ledger, opener, retired, generations, inUse, counts, this.sealing);
    this.pairs = new PairComparison(ledger, retired, inUse, records, comparisons, this.comparing);
    this.scores = new ScoreOpening(ledger, retired, opening, records, limits, inUse);
    this.clearingTask = new RepeatedTask('openings', CLEARING_MS, async () => {
      await records.forgetOld();
      await counts.forgetOld();
    });
    this.rewrapping = new Rewrapping(db, keys, this.sealing);
    this.rewrappingTask = new RepeatedTask('rewrapping', REWRAPPING_MS, () => this.rewrapping.run());
  }

  /** Loads SEAL and checks it, so that a process that cannot open scores does not start. */
  async onModuleInit(): Promise<void> {
    await this.ready();
    await this.rewrapping.begin();
    this.clearingTask.start();
  }

  onApplicationBootstrap(): void {
    this.rewrappingTask.start();
    this.forgettingTask.start();
  }

  async ready(): Promise<void> {
    await Promise.all([this.db.query('SELECT 1'), this.opening.ready(), this.sealing.call('ready', null)]);
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all(
      [this.rewrappingTask, this.forgettingTask, this.clearingTask].map((task) => task.stop()),
    );
    await this.opener.close();
    await Promise.all([this.opening.close(), this.sealing.close(), this.comparing.close()]);
  }

  async held(): Promise<HeldSecrets> {
    const idle = { keys: 0, padBytes: 0 };
    const [others, own, compared] = await Promise.all([
      this.opening.held(),
      this.sealing.call('held', null),
      this.comparing.running ? this.comparing.call('held', null) : idle,
    ]);
    return [...others, own, compared].reduce((sum, { keys, padBytes }) => ({
      keys: sum.keys + keys,
      padBytes: sum.padBytes + padBytes,
    }));
  }

  async createKeySet(galleryId: GalleryId, dimension: number): Promise<void> {
    await this.db.query(
      `INSERT INTO custody.key_set (gallery_id, dimension, mask_seed) VALUES ($1, $2, $3)
       ON CONFLICT (gallery_id) DO NOTHING`,
      [galleryId, dimension, Buffer.from(newMaskSeed())],
    );
  }

  preparePads(galleryId: GalleryId): void {
    this.inUse.note(galleryId);
    this.opener.openAhead(galleryId);
  }

  seal(galleryId: GalleryId, templates: readonly QuantisedTemplate[]): Promise<readonly SealedTemplate[]> {
    return this.templates.seal(galleryId, templates);
  }

  async maskSeed(galleryId: GalleryId): Promise<MaskSeed> {
    const { maskSeed } = await this.inUse.keySetOf(galleryId);
    return maskSeed;
  }

  openScores(request: OpeningRequest, scores: GalleryScores): Promise<readonly Candidate[]> {
    return this.scores.open(request, scores);
  }

  async checkKeys(galleryId: GalleryId, segmentIds: readonly SegmentId[]): Promise<void> {
    await this.inUse.keySetOf(galleryId);
    const segments = segmentIds.map((segmentId) => ({ segmentId, slots: new Uint16Array() }));
    const keys = await this.ledger.require(galleryId, segments);
    if (!(await this.opening.checkKeys(keys))) throw new OpeningRefused('a key that does not unwrap');
  }

  retire(places: readonly Place[]): Promise<void> {
    return this.retired.add(places);
  }

  countUsable(places: readonly Place[]): Promise<number> {
    return this.ledger.countUsable(places);
  }

  comparePairs(request: ComparisonRequest): Promise<readonly AlikePair[]> {
    return this.pairs.compare(request);
  }

  beginRotation(galleryId: GalleryId, rotationId: KeyRotationId): Promise<readonly SegmentId[]> {
    return this.generations.begin(galleryId, rotationId);
  }

  reseal(galleryId: GalleryId, rows: PlacedRows): Promise<readonly SealedTemplate[]> {
    return this.templates.reseal(galleryId, rows);
  }

  async destroySegments(galleryId: GalleryId, segmentIds: readonly SegmentId[]): Promise<void> {
    await this.generations.destroy(galleryId, segmentIds);
    await this.inUse.keySetOf(galleryId);
  }

  async destroy(galleryId: GalleryId): Promise<void> {
    await this.db.query('DELETE FROM custody.key_set WHERE gallery_id = $1', [galleryId]);
    await this.forget(galleryId);
  }

  private async forget(galleryId: GalleryId): Promise<void> {
    this.ledger.forget(galleryId);
    this.retired.forget(galleryId);
    await Promise.all([
      this.opening.forget(galleryId),
      this.sealing.call('forget', { galleryId }),
      this.comparing.running && this.comparing.call('forget', { galleryId }),
    ]);
  }
}
