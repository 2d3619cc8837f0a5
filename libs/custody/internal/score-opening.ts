import { asScore, isProbeOf } from '#homomorphic/quantised-vector';
import { DomainError } from '#platform/domain-error';
import { asId } from '#platform/ids';
import { timed } from '#platform/metrics';
import type { OpeningConfig } from '#platform/opening-config';
import { RepeatedTask } from '#platform/repeated-task';
import { Counter } from 'prom-client';
import type { DataSource } from 'typeorm';
import { OpeningRefused, OpeningsLimited, SubjectOpeningsLimited } from '../custody.errors.js';
import {
  type Candidate,
  MOST_CANDIDATES,
  type OpeningRequest,
  TEMPLATES_OF_A_SUBJECT,
} from '../key-custodian.js';
import type { KeysInUse } from './keys-in-use.js';
import { slotsAt } from './live-rows.js';
import { OpeningLimits } from './opening-limits.js';
import { type OpeningRecord, OpeningRecords } from './opening-records.js';
import type { RetiredSlots } from './retired-slots.js';
import type { ScoresToOpen } from './seal-calls.js';
import type { SealThreads } from './seal-threads.js';
import type { SegmentLedger } from './segment-ledger.js';

const FORGET_EVERY_MS = 3_600_000;

const openings = new Counter({
  name: 'velum_openings_total',
  help: 'Openings of encrypted scores that this process was asked for, by what became of them',
  labelNames: ['outcome'],
});

const candidatesWithheld = new Counter({
  name: 'velum_openings_withheld_total',
  help: 'Candidates that this process left out of answers, as they had been found too often that day',
});

interface Judged {
  readonly answered: readonly Candidate[];
  readonly withheld: number;
}

const NOTHING: Judged = { answered: [], withheld: 0 };

/** Judges, limits, carries out and records the opening of scores: no answer leaves before all of that. */
export class ScoreOpening {
  private readonly limits: OpeningLimits;
  private readonly forgetting: RepeatedTask;

  constructor(
    db: DataSource,
    private readonly ledger: SegmentLedger,
    private readonly retired: RetiredSlots,
    private readonly threads: SealThreads,
    private readonly records: OpeningRecords,
    config: OpeningConfig,
    private readonly inUse: KeysInUse,
  ) {
    this.limits = new OpeningLimits(db, config);
    this.forgetting = new RepeatedTask('openings', FORGET_EVERY_MS, async () => {
      await this.records.forgetOld();
      await this.limits.forgetOld();
    });
  }

  start(): void {
    this.forgetting.start();
  }

  async stop(): Promise<void> {
    await this.forgetting.stop();
  }

  async open(request: OpeningRequest): Promise<readonly Candidate[]> {
    const { clientId, galleryId, segments, threshold } = request;
    const slots = segments.reduce((sum, { slots: named }) => sum + named.length, 0);
    const asked = { clientId, galleryId, segments: segments.length, slots, threshold };
    const record = async (
      outcome: OpeningRecord['outcome'],
      { answered, withheld }: Judged = NOTHING,
    ): Promise<void> => {
      openings.inc({ outcome });
      candidatesWithheld.inc(withheld);
      await this.records.add({ ...asked, passed: answered.length, withheld, outcome });
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
    const { about, clientId, galleryId, probe, segments, limit } = request;
    if (limit > MOST_CANDIDATES) throw new OpeningRefused('more candidates than the custodian gives out');
    if (about === 'subject' && slots > TEMPLATES_OF_A_SUBJECT)
      throw new OpeningRefused('more templates than a person has');
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
      return this.withoutOverasked(await this.opened(request, named));
    }
    const templates = named.flatMap(({ key, slots: own }) =>
      Array.from(own, (slot) => ({ segmentId: asId<'segment'>(key.segmentId), slot })),
    );
    await this.limits.charge({ clientId, galleryId, templates });
    return { answered: await this.opened(request, named), withheld: 0 };
  }

  /**
   * A search asks about everybody, and counts for those whom it finds. Whoever was found too often is left out as if they
   * were not there: a refusal would say that they are.
   */
  private async withoutOverasked(found: readonly Candidate[]): Promise<Judged> {
    const granted = await Promise.all(found.map((candidate) => this.limits.mayBeFound(candidate)));
    const answered = found.filter((_, i) => granted[i] === true);
    return { answered, withheld: found.length - answered.length };
  }

  private async opened(
    { c1, probe, threshold, limit }: OpeningRequest,
    segments: ScoresToOpen['segments'],
  ): Promise<readonly Candidate[]> {
    const found = await timed('open_scores', () =>
      this.threads.openScores({ c1, probe, segments, threshold, limit }),
    );
    if (found === undefined) throw new OpeningRefused('a c1 that is not made from the probe');
    return found.map(({ segmentId, slot, score }) => ({
      segmentId: asId<'segment'>(segmentId),
      slot,
      score: asScore(score),
    }));
  }
}

function outcomeOf(error: Error): OpeningRecord['outcome'] {
  return error instanceof OpeningsLimited || error instanceof SubjectOpeningsLimited ? 'limited' : 'refused';
}
