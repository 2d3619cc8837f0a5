import { type MaskSeed, newMaskSeed } from '#homomorphic/mask-seed';
import { paddedDimension, SLOTS_PER_SEGMENT } from '#homomorphic/parameters';
import { asPairScore, type QuantisedTemplate } from '#homomorphic/quantised-vector';
import { asRow } from '#homomorphic/sealed-row';
import type { CustodyConfig } from '#platform/config';
import { asId, type GalleryId, type KeyRotationId, type SegmentId } from '#platform/ids';
import { timed } from '#platform/metrics';
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
import { OpeningRefused, TooManyPairs } from './custody.errors.js';
import { KeyGenerations } from './internal/key-generations.js';
import { KeysInUse } from './internal/keys-in-use.js';
import { placeOf, rowsAt } from './internal/live-rows.js';
import { OpeningRecords } from './internal/opening-records.js';
import { RetiredSlots } from './internal/retired-slots.js';
import { Rewrapping } from './internal/rewrapping.js';
import type { SealCalls, WrappedSecret } from './internal/seal-calls.js';
import { ScoreOpening } from './internal/score-opening.js';
import { SealThreads } from './internal/seal-threads.js';
import { SegmentLedger, type TakenSlots } from './internal/segment-ledger.js';
import { SegmentOpener, SLOTS_AHEAD } from './internal/segment-opener.js';
import {
  type AlikePair,
  type Candidate,
  type ComparisonRequest,
  type HeldSecrets,
  KeyCustodian,
  MOST_PAIRS,
  type OpeningRequest,
  type Place,
  type PlacedRows,
  type SealedTemplate,
} from './key-custodian.js';
import { retirePlaces } from './retire-places.js';
import { WrappingKeys } from './wrapping-keys.js';

/** A few milliseconds of the sealing thread's time, so that an enrolment never waits for a whole list. */
const SEALED_AT_ONCE = 128;

/** How often this looks for secrets under another key than the first. */
const REWRAPPING_MS = 5_000;

/** How long a key that another replica destroyed may stay in this one's memory. */
const FORGETTING_MS = 5_000;

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
  private readonly records: OpeningRecords;
  private readonly rewrapping: Rewrapping;
  private readonly rewrappingTask: RepeatedTask;
  private readonly generations: KeyGenerations;
  private readonly inUse: KeysInUse;
  private readonly forgettingTask: RepeatedTask;
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
    this.records = new OpeningRecords(db);
    this.generations = new KeyGenerations(db, keys.adoptionHours);
    this.inUse = new KeysInUse(db, (galleryId) => this.forget(galleryId));
    this.forgettingTask = new RepeatedTask('destroyed-keys', FORGETTING_MS, () => this.inUse.sweep());
    const { ledger, retired, opening, records } = this;
    this.scores = new ScoreOpening(db, ledger, retired, opening, records, config.openings, (galleryId) =>
      this.inUse.keySetOf(galleryId),
    );
    this.rewrapping = new Rewrapping(db, keys, this.sealing);
    this.rewrappingTask = new RepeatedTask('rewrapping', REWRAPPING_MS, () => this.rewrapping.run());
  }

  /** Loads SEAL and checks it, so that a process that cannot open scores does not start. */
  async onModuleInit(): Promise<void> {
    await this.ready();
    await this.rewrapping.begin();
    this.scores.start();
  }

  onApplicationBootstrap(): void {
    this.rewrappingTask.start();
    this.forgettingTask.start();
  }

  async ready(): Promise<void> {
    await Promise.all([this.db.query('SELECT 1'), this.opening.ready(), this.sealing.call('ready', null)]);
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all([this.rewrappingTask.stop(), this.forgettingTask.stop()]);
    await Promise.all([this.opener.close(), this.scores.stop()]);
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

  async seal(
    galleryId: GalleryId,
    templates: readonly QuantisedTemplate[],
  ): Promise<readonly SealedTemplate[]> {
    const sealed: SealedTemplate[] = [];
    try {
      while (sealed.length < templates.length) {
        const taken = await this.takeSlots(galleryId, templates.length - sealed.length);
        const rest = templates.slice(sealed.length, sealed.length + taken.count);
        for (let at = 0; at < rest.length; at += SEALED_AT_ONCE) {
          sealed.push(...(await this.sealUnder(taken, at, rest.slice(at, at + SEALED_AT_ONCE))));
        }
      }
      return sealed;
    } finally {
      // Those that no thread has taken over, which zeroes them; of the others nothing is left here.
      for (const template of templates) if (template.length > 0) template.fill(0);
    }
  }

  async maskSeed(galleryId: GalleryId): Promise<MaskSeed> {
    const { maskSeed } = await this.inUse.keySetOf(galleryId);
    return maskSeed;
  }

  openScores(request: OpeningRequest): Promise<readonly Candidate[]> {
    return this.scores.open(request);
  }

  async checkKeys(galleryId: GalleryId, segmentIds: readonly SegmentId[]): Promise<void> {
    await this.inUse.keySetOf(galleryId);
    const segments = segmentIds.map((segmentId) => ({ segmentId, slots: new Uint16Array() }));
    const keys = await this.ledger.require(galleryId, segments);
    if (!(await this.opening.checkKeys(keys))) throw new OpeningRefused('a key that does not unwrap');
  }

  async retire(places: readonly Place[]): Promise<void> {
    await this.db.transaction((tx) => retirePlaces(tx, places));
  }

  countUsable(places: readonly Place[]): Promise<number> {
    return this.ledger.countUsable(places);
  }

  async comparePairs({
    galleryId,
    left,
    right,
    threshold,
  }: ComparisonRequest): Promise<readonly AlikePair[]> {
    const { dimension, retirements } = await this.inUse.keySetOf(galleryId);
    const words = paddedDimension(dimension);
    const named = right === undefined ? [left] : [left, right];
    for (const segment of named) {
      requireRows(segment, words);
      if (segment.labels.length !== segment.slots.length) throw new RangeError('a row without a label');
    }
    if (right?.segmentId === left.segmentId) throw new OpeningRefused('a segment that is named twice');
    const [leftKey, rightKey] = await this.ledger.require(galleryId, named);
    if (leftKey === undefined) throw new OpeningRefused('a segment without a key');
    const [ofLeft, ofRight] = await this.retired.among(galleryId, retirements, named);
    const found = await timed('compare', () =>
      this.comparing.call('comparePairs', {
        left: { ...rowsAt(left, ofLeft, words), key: leftKey },
        right: right && rightKey && { ...rowsAt(right, ofRight, words), key: rightKey },
        words,
        threshold,
        most: MOST_PAIRS,
      }),
    );
    await this.records.add({
      clientId: undefined,
      galleryId,
      segments: named.length,
      slots: named.reduce((sum, { slots }) => sum + slots.length, 0),
      threshold,
      passed: found === undefined ? 0 : found.length / 3,
      withheld: 0,
      outcome: 'compared',
    });
    if (found === undefined) throw new TooManyPairs();
    return Array.from({ length: found.length / 3 }, (_, n) => ({
      left: placeOf(found[3 * n] ?? 0, ofLeft),
      right: placeOf(found[3 * n + 1] ?? 0, right === undefined ? ofLeft : ofRight),
      score: asPairScore(found[3 * n + 2] ?? 0),
    }));
  }

  beginRotation(galleryId: GalleryId, rotationId: KeyRotationId): Promise<readonly SegmentId[]> {
    return this.generations.begin(galleryId, rotationId);
  }

  async reseal(galleryId: GalleryId, placed: PlacedRows): Promise<readonly SealedTemplate[]> {
    const { dimension, retirements } = await this.inUse.keySetOf(galleryId);
    const words = paddedDimension(dimension);
    requireRows(placed, words);
    await this.generations.requireEarlier(galleryId, placed.segmentId);
    const [from] = await this.ledger.require(galleryId, [placed]);
    if (from === undefined) throw new OpeningRefused('a segment without a key');
    const resealed: SealedTemplate[] = [];
    while (resealed.length < placed.slots.length) {
      const taken = await this.takeSlots(galleryId, placed.slots.length - resealed.length);
      for (let done = 0; done < taken.count; done += SEALED_AT_ONCE) {
        const at = resealed.length;
        const end = at + Math.min(SEALED_AT_ONCE, taken.count - done);
        const slots = placed.slots.slice(at, end);
        const rows = placed.rows.slice(at * words * 4, end * words * 4);
        const { key: to, first } = taken;
        const moved = await timed('reseal', () =>
          this.sealing.call('moveRows', { from, slots, rows, to, first: first + done, words }),
        );
        resealed.push(...placedRows(to, first + done, moved, words));
      }
    }
    // Whose row is gone stays gone: before anybody has the new row, its slot is retired, too.
    const [live] = await this.retired.among(galleryId, retirements, [placed]);
    if (live !== undefined) {
      const kept = new Set(live);
      await this.retire(resealed.filter((_, i) => !kept.has(i)));
    }
    return resealed;
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

  private async takeSlots(galleryId: GalleryId, most: number): Promise<TakenSlots> {
    this.inUse.note(galleryId);
    for (;;) {
      const taken = await this.ledger.take(galleryId, most);
      if (taken === undefined) {
        // Others may take all of the new segment's slots in the meantime: then the next one is opened.
        await this.opener.open(galleryId, 1);
        continue;
      }
      // The last slots of a segment are used while the next is opened.
      if (taken.first + taken.count > SLOTS_PER_SEGMENT - SLOTS_AHEAD) this.opener.openAhead(galleryId);
      return taken;
    }
  }

  private async sealUnder(
    { key, dimension, first }: TakenSlots,
    skipped: number,
    templates: readonly QuantisedTemplate[],
  ): Promise<SealedTemplate[]> {
    const words = paddedDimension(dimension);
    if (templates.some(({ length }) => length !== words))
      throw new RangeError('a template of another dimension');
    const start = first + skipped;
    const rows = await timed('seal', () =>
      this.sealing.call(
        'seal',
        { key, first: start, templates },
        templates.map(({ buffer }) => buffer),
      ),
    );
    return placedRows(key, start, rows, words);
  }
}

/** Rows one after the other, of slot `first` and those that follow. */
function placedRows(
  { segmentId }: WrappedSecret,
  first: number,
  rows: Uint8Array<ArrayBuffer>,
  words: number,
): SealedTemplate[] {
  return Array.from({ length: rows.length / (words * 4) }, (_, n) => ({
    segmentId: asId<'segment'>(segmentId),
    slot: first + n,
    row: asRow(rows.subarray(n * words * 4, (n + 1) * words * 4), words),
  }));
}

function requireRows({ slots, rows }: PlacedRows, words: number): void {
  if (rows.length !== slots.length * words * 4) throw new RangeError('rows and slots do not belong together');
  // A pad seals one row: of two, one is forged.
  if (new Set(slots).size !== slots.length) throw new OpeningRefused('a slot that is named twice');
}
