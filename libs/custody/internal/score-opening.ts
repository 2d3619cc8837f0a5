import type { Residues } from '#homomorphic/kernel/row-memory';
import { asScore, isProbeOf } from '#homomorphic/quantised-vector';
import { DomainError } from '#platform/domain-error';
import { asId } from '#platform/ids';
import { timed } from '#platform/metrics';
import { Counter } from 'prom-client';
import { OpeningRefused } from '../custody.errors.js';
import {
  type Candidate,
  type GalleryScores,
  MOST_CANDIDATES,
  type OpeningRequest,
  type SegmentScores,
  TEMPLATES_OF_A_SUBJECT,
} from '../key-custodian.js';
import type { KeySet } from './key-set.js';
import type { KeysInUse } from './keys-in-use.js';
import { slotsAt } from './live-rows.js';
import type { OpeningLimits } from './opening-limits.js';
import { type OpeningRecord, type OpeningRecords, outcomeOf } from './opening-records.js';
import type { RetiredSlots } from './retired-slots.js';
import {
  type Came,
  Found,
  lieOfFirst,
  lieOfOther,
  type Opened,
  ReadScores,
  requireNamed,
  textOf,
} from './scores-in-parts.js';
import type { SealThreads } from './seal-threads.js';
import type { SegmentLedger } from './segment-ledger.js';

/** Templates that one search passes over, as they were found too often that day. */
const WITHHELD_AT_MOST = 200;

/** How old what is known of a key set may be when a part is opened. */
const KEY_SET_MS = 1_000;

const openings = new Counter({
  name: 'velum_openings_total',
  help: 'Openings of encrypted scores that this process was asked for, by what became of them',
  labelNames: ['outcome'],
});

const candidatesWithheld = new Counter({
  name: 'velum_openings_withheld_total',
  help: 'Candidates that this process left out of answers, as they had been found too often that day',
});

const scoresForged = new Counter({
  name: 'velum_openings_forged_total',
  help: 'Scores left out of answers, as no row and probe have made them: whoever asked has lied',
});

interface Judged {
  readonly answered: readonly Candidate[];
  readonly withheld: number;
  readonly forged: number;
}

const NOTHING: Judged = { answered: [], withheld: 0, forged: 0 };

/** Read for each opening, and again for those that take long: once a gallery's keys are destroyed, what this process remembers of them opens nothing. */
class LatestKeySet {
  private latest: Promise<KeySet> | undefined;
  private readAt = 0;

  constructor(private readonly now: () => Promise<KeySet>) {}

  read(): Promise<KeySet> {
    if (this.latest === undefined || performance.now() - this.readAt > KEY_SET_MS) {
      this.readAt = performance.now();
      this.latest = this.now();
    }
    return this.latest;
  }
}

/** Judges, limits, carries out and records the opening of scores: no answer leaves before all of that. */
export class ScoreOpening {
  constructor(
    private readonly ledger: SegmentLedger,
    private readonly retired: RetiredSlots,
    private readonly threads: SealThreads,
    private readonly records: OpeningRecords,
    private readonly limits: OpeningLimits,
    private readonly inUse: KeysInUse,
  ) {}

  async open(request: OpeningRequest, scores: GalleryScores): Promise<readonly Candidate[]> {
    const { clientId, galleryId, threshold } = request;
    const came = { segments: 0, slots: 0 };
    const record = async (
      outcome: OpeningRecord['outcome'],
      { answered, withheld, forged }: Judged = NOTHING,
    ): Promise<void> => {
      openings.inc({ outcome });
      candidatesWithheld.inc(withheld);
      scoresForged.inc(forged);
      const asked = { clientId, galleryId, ...came, threshold };
      await this.records.add({ ...asked, passed: answered.length, withheld, forged, outcome });
    };
    const read = new ReadScores(scores);
    // While the scores are still made.
    const keySet = new LatestKeySet(() => this.inUse.keySetOf(galleryId));
    const admitted = this.admit(request, keySet);
    admitted.catch(() => undefined);
    let judged: Judged;
    try {
      judged = await this.judged(request, read, { came, keySet, admitted });
    } catch (error) {
      const refusal = error === read.fault ? await refusalOf(admitted) : error;
      if (isRefusal(refusal)) await record(outcomeOf(refusal));
      // It was counted, and some of it may have been opened: who breaks off learns nothing, and is known.
      else if (error === read.fault && refusal === undefined) await record('opened');
      throw error;
    }
    await record('opened', judged);
    return judged.answered;
  }

  /** Reads the scores to their end, unless they break off; ends when nothing of them is at work any more. */
  private async judged(
    request: OpeningRequest,
    scores: GalleryScores,
    { came, keySet, admitted }: { came: Came; keySet: LatestKeySet; admitted: Promise<void> },
  ): Promise<Judged> {
    const { about, limit } = request;
    const most = about === 'gallery' ? limit + WITHHELD_AT_MOST : limit;
    const found = new Found(most);
    const opened: Promise<void>[] = [];
    let c1: Residues | undefined;
    let [lie, over]: [string | undefined, boolean] = [undefined, false];
    try {
      for await (const part of scores) {
        came.segments += part.segments.length;
        for (const { slots } of part.segments) came.slots += slots.length;
        lie ??= opened.length === 0 ? lieOfFirst(part) : lieOfOther(part, came);
        if (lie !== undefined) continue;
        const known = (c1 ??= part.c1);
        const opening = admitted.then(async () => {
          // Of what is refused as a whole nothing more is opened.
          if (over || lie !== undefined || known === undefined) return;
          if (about === 'subject') requireNamed(request, came.slots, part.segments);
          found.add(await this.openPart({ ...request, limit: most }, keySet, known, part.segments));
        });
        // Whoever waits for all of them is told.
        opening.catch(() => undefined);
        opened.push(opening);
      }
      await admitted;
      if (lie !== undefined) throw new OpeningRefused(lie);
      await Promise.all(opened);
    } finally {
      over = true;
      await Promise.allSettled([admitted, ...opened]);
    }
    if (opened.length === 0) throw new OpeningRefused('no scores');
    const { best, forged } = found;
    return about === 'gallery'
      ? this.withoutOverasked({ best, forged }, limit)
      : { answered: best, withheld: 0, forged };
  }

  /** Throws where nothing of this request is opened, whatever its scores are; and counts it. */
  private async admit(request: OpeningRequest, keySet: LatestKeySet): Promise<void> {
    const { about, places, clientId, galleryId, probe, limit } = request;
    if (limit > MOST_CANDIDATES) throw new OpeningRefused('more candidates than the custodian gives out');
    if (places.length > (about === 'subject' ? TEMPLATES_OF_A_SUBJECT : 0))
      throw new OpeningRefused('more templates than a person has');
    if (new Set(places.map(textOf)).size < places.length) throw new OpeningRefused('a template twice');
    const { dimension, retirements } = await keySet.read();
    if (!isProbeOf(dimension, probe)) throw new OpeningRefused('a probe that is no unit vector');
    // Before they are counted: another gallery's are nobody's to count here.
    const named = [...Map.groupBy(places, ({ segmentId }) => segmentId)].map(([segmentId, own]) => ({
      segmentId,
      slots: Uint16Array.from(own, ({ slot }) => slot),
    }));
    await this.ledger.require(galleryId, named);
    const live = await this.retired.among(galleryId, retirements, named);
    const templates = named.flatMap(({ segmentId, slots }, i) =>
      Array.from(slotsAt(slots, live[i]), (slot) => ({ segmentId, slot })),
    );
    await this.limits.charge({ clientId, galleryId, templates });
  }

  private async openPart(
    { galleryId, probe, threshold, limit }: OpeningRequest,
    keySet: LatestKeySet,
    c1: Residues,
    segments: readonly SegmentScores[],
  ): Promise<Opened> {
    const { retirements } = await keySet.read();
    const keys = await this.ledger.require(galleryId, segments);
    const live = await this.retired.among(galleryId, retirements, segments);
    const named = segments.flatMap(({ slots, c0 }, i) => {
      const key = keys[i];
      return key === undefined ? [] : [{ key, slots: slotsAt(slots, live[i]), c0 }];
    });
    const found = await timed('open_scores', () =>
      this.threads.openScores({ c1, probe, segments: named, threshold, limit }),
    );
    if (found === undefined) throw new OpeningRefused('scores that are not made from the probe');
    const best = found.best.map(({ segmentId, slot, score }) => ({
      segmentId: asId<'segment'>(segmentId),
      slot,
      score: asScore(score),
    }));
    return { best, forged: found.forged };
  }

  /**
   * A search asks about everybody, and counts for those whom it finds. Whoever was found too often is left out as if they
   * were not there, and who comes after them is answered: a refusal, or a gap, would say that they are.
   */
  private async withoutOverasked({ best, forged }: Opened, limit: number): Promise<Judged> {
    const answered: Candidate[] = [];
    let asked = 0;
    while (answered.length < limit && asked < best.length) {
      const next = best.slice(asked, asked + limit - answered.length);
      const granted = await Promise.all(next.map((candidate) => this.limits.mayBeFound(candidate)));
      answered.push(...next.filter((_, i) => granted[i] === true));
      asked += next.length;
    }
    return { answered, withheld: asked - answered.length, forged };
  }
}

function isRefusal(error: unknown): error is Error {
  return error instanceof OpeningRefused || error instanceof DomainError;
}

/** Why a request is not admitted; undefined if it is. */
function refusalOf(admitted: Promise<void>): Promise<unknown> {
  return admitted.then(
    () => undefined,
    (error: unknown) => error,
  );
}
