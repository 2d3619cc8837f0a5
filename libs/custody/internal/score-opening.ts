import { Q } from '#homomorphic/parameters';
import { asScore, isProbeOf } from '#homomorphic/quantised-vector';
import { DomainError } from '#platform/domain-error';
import { asId } from '#platform/ids';
import { timed } from '#platform/metrics';
import { Counter } from 'prom-client';
import { OpeningRefused } from '../custody.errors.js';
import {
  type Candidate,
  MOST_CANDIDATES,
  type OpeningRequest,
  TEMPLATES_OF_A_SUBJECT,
} from '../key-custodian.js';
import type { KeysInUse } from './keys-in-use.js';
import { slotsAt } from './live-rows.js';
import type { OpeningLimits } from './opening-limits.js';
import { type OpeningRecord, type OpeningRecords, outcomeOf } from './opening-records.js';
import type { RetiredSlots } from './retired-slots.js';
import type { ScoresToOpen } from './seal-calls.js';
import type { SealThreads } from './seal-threads.js';
import type { SegmentLedger } from './segment-ledger.js';

/** Templates that one search passes over, as they were found too often that day. */
const WITHHELD_AT_MOST = 200;

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

interface Opened {
  readonly best: readonly Candidate[];
  readonly forged: number;
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

  async open(request: OpeningRequest): Promise<readonly Candidate[]> {
    const { clientId, galleryId, segments, threshold } = request;
    const slots = segments.reduce((sum, { slots: named }) => sum + named.length, 0);
    const asked = { clientId, galleryId, segments: segments.length, slots, threshold };
    const record = async (
      outcome: OpeningRecord['outcome'],
      { answered, withheld, forged }: Judged = NOTHING,
    ): Promise<void> => {
      openings.inc({ outcome });
      candidatesWithheld.inc(withheld);
      scoresForged.inc(forged);
      await this.records.add({ ...asked, passed: answered.length, withheld, forged, outcome });
    };
    let judged: Judged;
    try {
      judged = await this.judged(request, slots);
    } catch (error) {
      if (error instanceof OpeningRefused || error instanceof DomainError) await record(outcomeOf(error));
      throw error;
    }
    await record('opened', judged);
    return judged.answered;
  }

  private async judged(request: OpeningRequest, slots: number): Promise<Judged> {
    const { about, clientId, galleryId, probe, c1, segments, limit } = request;
    if (limit > MOST_CANDIDATES) throw new OpeningRefused('more candidates than the custodian gives out');
    if (about === 'subject' && slots > TEMPLATES_OF_A_SUBJECT)
      throw new OpeningRefused('more templates than a person has');
    if (!c1.every((word) => word < Q)) throw new OpeningRefused('a word that is no residue');
    // Read each time: once a gallery's keys are destroyed, what this process remembers of them opens nothing.
    const { dimension, retirements } = await this.inUse.keySetOf(galleryId);
    if (!isProbeOf(dimension, probe)) throw new OpeningRefused('a probe that is no unit vector');
    const keys = await this.ledger.require(galleryId, segments);
    const live = await this.retired.among(galleryId, retirements, segments);
    const named = segments.flatMap(({ slots: own, c0 }, i) => {
      const key = keys[i];
      return key === undefined ? [] : [{ key, slots: slotsAt(own, live[i]), c0 }];
    });
    if (about === 'gallery') {
      await this.limits.charge({ clientId, galleryId, templates: [] });
      return this.withoutOverasked(await this.opened(request, named, limit + WITHHELD_AT_MOST), limit);
    }
    const templates = named.flatMap(({ key, slots: own }) =>
      Array.from(own, (slot) => ({ segmentId: asId<'segment'>(key.segmentId), slot })),
    );
    await this.limits.charge({ clientId, galleryId, templates });
    const { best, forged } = await this.opened(request, named, limit);
    return { answered: best, withheld: 0, forged };
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

  private async opened(
    { c1, probe, threshold }: OpeningRequest,
    segments: ScoresToOpen['segments'],
    limit: number,
  ): Promise<Opened> {
    const found = await timed('open_scores', () =>
      this.threads.openScores({ c1, probe, segments, threshold, limit }),
    );
    if (found === undefined) throw new OpeningRefused('scores that are not made from the probe');
    const best = found.best.map(({ segmentId, slot, score }) => ({
      segmentId: asId<'segment'>(segmentId),
      slot,
      score: asScore(score),
    }));
    return { best, forged: found.forged };
  }
}
