import { paddedDimension } from '#homomorphic/parameters';
import { asPairScore, FULL_PAIR_SCORE, type PairScore } from '#homomorphic/quantised-vector';
import { DomainError } from '#platform/domain-error';
import { timed } from '#platform/metrics';
import type { Thread } from '#platform/thread';
import { Counter } from 'prom-client';
import { OpeningRefused, TooManyPairs } from '../custody.errors.js';
import { type AlikePair, type ComparisonRequest, MOST_PAIRS, type Place } from '../key-custodian.js';
import type { ComparisonLimits } from './comparison-limits.js';
import type { KeysInUse } from './keys-in-use.js';
import { placeOf, rowsAt } from './live-rows.js';
import { type OpeningRecord, type OpeningRecords, outcomeOf } from './opening-records.js';
import { requireRows } from './placed-rows.js';
import type { RetiredSlots } from './retired-slots.js';
import type { SealCalls } from './seal-calls.js';
import type { SegmentLedger } from './segment-ledger.js';

const comparisons = new Counter({
  name: 'velum_comparisons_total',
  help: 'Comparisons of two segments that this process was asked for, by what became of them',
  labelNames: ['outcome'],
});

const pairsWithheld = new Counter({
  name: 'velum_comparisons_withheld_total',
  help: 'Pairs left out of answers, as one of their templates had been in too many that day',
});

interface Judged {
  /** Undefined: more than anybody is told. */
  readonly pairs: readonly AlikePair[] | undefined;
  readonly withheld: number;
}

const NOTHING: Judged = { pairs: [], withheld: 0 };

/** Compares templates with one another (docs/adr/0014-deduplication-inside-custody.md), within limits, and records that it did. */
export class PairComparison {
  constructor(
    private readonly ledger: SegmentLedger,
    private readonly retired: RetiredSlots,
    private readonly inUse: KeysInUse,
    private readonly records: OpeningRecords,
    private readonly limits: ComparisonLimits,
    private readonly thread: Thread<SealCalls>,
  ) {}

  async compare(request: ComparisonRequest): Promise<readonly AlikePair[]> {
    const { galleryId, left, right, threshold } = request;
    const named = right === undefined ? [left] : [left, right];
    const slots = named.reduce((sum, segment) => sum + segment.slots.length, 0);
    const record = async (
      outcome: OpeningRecord['outcome'],
      { pairs, withheld }: Judged = NOTHING,
    ): Promise<void> => {
      comparisons.inc({ outcome });
      pairsWithheld.inc(withheld);
      const answered = { passed: pairs?.length ?? 0, withheld, forged: 0, outcome };
      await this.records.add({
        clientId: undefined,
        galleryId,
        segments: named.length,
        slots,
        threshold,
        ...answered,
      });
    };
    let judged: Judged;
    try {
      judged = await this.judged(request);
    } catch (error) {
      if (error instanceof OpeningRefused || error instanceof DomainError) await record(outcomeOf(error));
      throw error;
    }
    await record('compared', judged);
    if (judged.pairs === undefined) throw new TooManyPairs();
    return judged.pairs;
  }

  private async judged({ galleryId, left, right, threshold }: ComparisonRequest): Promise<Judged> {
    // No gallery's is outside of these.
    if (threshold < 0 || threshold > FULL_PAIR_SCORE)
      throw new OpeningRefused('a threshold that is no cosine from 0 to 1');
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
    await this.limits.charge(galleryId);
    const found = await timed('compare', () =>
      this.thread.call('comparePairs', {
        left: { ...rowsAt(left, ofLeft, words), key: leftKey },
        right: right && rightKey && { ...rowsAt(right, ofRight, words), key: rightKey },
        words,
        threshold,
        most: MOST_PAIRS,
      }),
    );
    // That a row is no template under the pad of its slot is an answer, too: it is on record as refused.
    if (found === 'forged') throw new OpeningRefused('a row that was not sealed under the pad of its slot');
    if (found === undefined) return { pairs: undefined, withheld: 0 };
    const half = halfWay(threshold);
    const alike = Array.from({ length: found.length / 3 }, (_, n) => ({
      left: placeOf(found[3 * n] ?? 0, ofLeft),
      right: placeOf(found[3 * n + 1] ?? 0, right === undefined ? ofLeft : ofRight),
      score: (found[3 * n + 2] ?? 0) < half ? threshold : half,
    }));
    const places = alike.map((pair): [Place, Place] => [
      placeIn(left, pair.left),
      placeIn(right ?? left, pair.right),
    ]);
    const granted = await this.limits.grantable(places);
    const pairs = alike.filter((_, n) => granted[n] === true);
    await this.limits.chargePairs(galleryId, pairs.length);
    return { pairs, withheld: alike.length - pairs.length };
  }
}

/** Exact scores against faces of one's choice are a face: a band needs no more than this. */
function halfWay(threshold: PairScore): PairScore {
  return asPairScore(Math.ceil((threshold + FULL_PAIR_SCORE) / 2));
}

function placeIn({ segmentId, slots }: ComparisonRequest['left'], row: number): Place {
  return { segmentId, slot: slots[row] ?? 0 };
}
