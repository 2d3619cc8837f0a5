import { asMaskSeed, type MaskSeed, newMaskSeed } from '#homomorphic/mask-seed';
import { paddedDimension, SLOTS_PER_SEGMENT } from '#homomorphic/parameters';
import { asPairScore, type QuantisedTemplate } from '#homomorphic/quantised-vector';
import { asRow } from '#homomorphic/sealed-row';
import type { CustodyConfig } from '#platform/config';
import { asId, type GalleryId, type SegmentId } from '#platform/ids';
import { timed } from '#platform/metrics';
import { CONFIG } from '#platform/platform.module';
import { type SealedRow, SealedValues } from '#platform/sealed-values';
import { Thread } from '#platform/thread';
import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { CustodyDatabase } from './custody-database.js';
import { OpeningRefused, TooManyPairs } from './custody.errors.js';
import { readKeySet } from './internal/key-set.js';
import { placeOf, rowsAt } from './internal/live-rows.js';
import { RetiredSlots } from './internal/retired-slots.js';
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
  type SealedTemplate,
  type SegmentRows,
} from './key-custodian.js';
import { retirePlaces } from './retire-places.js';

/** A few milliseconds of the sealing thread's time, so that an enrolment never waits for a whole list. */
const SEALED_AT_ONCE = 128;

/** Custody in this process: keys and pads are in threads of its own and nowhere else. */
@Injectable()
export class LocalKeyCustodian extends KeyCustodian implements OnModuleInit, OnApplicationShutdown {
  private readonly opening: SealThreads;
  /** Apart from those that open scores: making a segment's pads takes some fifty milliseconds. */
  private readonly sealing: Thread<SealCalls>;
  /** Apart from both, and there only once it is needed: a pair of segments takes tens of milliseconds. */
  private readonly comparing: Thread<SealCalls>;
  private readonly opener: SegmentOpener;
  private readonly ledger: SegmentLedger;
  private readonly retired: RetiredSlots;
  private readonly scores: ScoreOpening;

  constructor(
    private readonly db: CustodyDatabase,
    @Inject(CONFIG) config: CustodyConfig,
    values: SealedValues,
  ) {
    super();
    const script = new URL('./seal.worker.js', import.meta.url);
    const keyring = config.secrets.dbEncryptionKeys.serialise();
    this.opening = new SealThreads(script, keyring, config.sealWorkers);
    this.sealing = new Thread<SealCalls>(script, keyring);
    this.comparing = new Thread<SealCalls>(script, keyring);
    this.opener = new SegmentOpener(db, this.sealing);
    this.ledger = new SegmentLedger(db);
    this.retired = new RetiredSlots(db);
    this.scores = new ScoreOpening(db, this.ledger, this.retired, this.opening, config.openings);
    values.own<SegmentSecretRow>('custody.segment.secret', {
      db,
      columns: 'v.gallery_id, k.mask_seed',
      join: 'JOIN custody.key_set k ON k.gallery_id = v.gallery_id',
      reseal: (rows) => this.sealing.call('reseal', rows.map(wrappedSecret)),
    });
  }

  /** Loads SEAL and checks it, so that a process that cannot open scores does not start. */
  async onModuleInit(): Promise<void> {
    await this.ready();
    this.scores.start();
  }

  async ready(): Promise<void> {
    await Promise.all([this.opening.ready(), this.sealing.call('ready', null)]);
  }

  async onApplicationShutdown(): Promise<void> {
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
    this.opener.openAhead(galleryId);
  }

  async seal(
    galleryId: GalleryId,
    templates: readonly QuantisedTemplate[],
  ): Promise<readonly SealedTemplate[]> {
    const sealed: SealedTemplate[] = [];
    while (sealed.length < templates.length) {
      const taken = await this.takeSlots(galleryId, templates.length - sealed.length);
      const rest = templates.slice(sealed.length, sealed.length + taken.count);
      for (let at = 0; at < rest.length; at += SEALED_AT_ONCE) {
        sealed.push(...(await this.sealUnder(taken, at, rest.slice(at, at + SEALED_AT_ONCE))));
      }
    }
    return sealed;
  }

  async maskSeed(galleryId: GalleryId): Promise<MaskSeed> {
    const { maskSeed } = await readKeySet(this.db.manager, galleryId);
    return maskSeed;
  }

  openScores(request: OpeningRequest): Promise<readonly Candidate[]> {
    return this.scores.open(request);
  }

  async checkKeys(galleryId: GalleryId, segmentIds: readonly SegmentId[]): Promise<void> {
    await readKeySet(this.db.manager, galleryId);
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
    const { dimension, retirements } = await readKeySet(this.db.manager, galleryId);
    const words = paddedDimension(dimension);
    const named = right === undefined ? [left] : [left, right];
    for (const segment of named) requireRows(segment, words);
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
    if (found === undefined) throw new TooManyPairs();
    return Array.from({ length: found.length / 3 }, (_, n) => ({
      left: placeOf(found[3 * n] ?? 0, ofLeft),
      right: placeOf(found[3 * n + 1] ?? 0, right === undefined ? ofLeft : ofRight),
      score: asPairScore(found[3 * n + 2] ?? 0),
    }));
  }

  async destroy(galleryId: GalleryId): Promise<void> {
    await this.db.query('DELETE FROM custody.key_set WHERE gallery_id = $1', [galleryId]);
    this.ledger.forget(galleryId);
    this.retired.forget(galleryId);
    await Promise.all([
      this.opening.forget(galleryId),
      this.sealing.call('forget', { galleryId }),
      this.comparing.running && this.comparing.call('forget', { galleryId }),
    ]);
  }

  private async takeSlots(galleryId: GalleryId, most: number): Promise<TakenSlots> {
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
    const rows = await timed('seal', () => this.sealing.call('seal', { key, first: start, templates }));
    return templates.map((_, n) => ({
      segmentId: asId<'segment'>(key.segmentId),
      slot: start + n,
      row: asRow(rows.subarray(n * words * 4, (n + 1) * words * 4), words),
    }));
  }
}

interface SegmentSecretRow extends SealedRow {
  readonly gallery_id: string;
  readonly mask_seed: Buffer;
}

function wrappedSecret({ id, sealed, gallery_id, mask_seed }: SegmentSecretRow): WrappedSecret {
  const maskSeed = asMaskSeed(mask_seed);
  return {
    galleryId: gallery_id,
    segmentId: id,
    maskSeed,
    wrapped: new Uint8Array(sealed),
    share: undefined,
  };
}

function requireRows({ slots, rows, labels }: SegmentRows, words: number): void {
  if (rows.length !== slots.length * words * 4 || labels.length !== slots.length) {
    throw new RangeError('rows, slots and labels do not belong together');
  }
  // A pad seals one row: of two, one is forged.
  if (new Set(slots).size !== slots.length) throw new OpeningRefused('a slot that is named twice');
}
