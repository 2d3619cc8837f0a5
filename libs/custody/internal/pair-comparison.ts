import { paddedDimension } from '#homomorphic/parameters';
import { asPairScore } from '#homomorphic/quantised-vector';
import { timed } from '#platform/metrics';
import type { Thread } from '#platform/thread';
import { OpeningRefused, TooManyPairs } from '../custody.errors.js';
import { type AlikePair, type ComparisonRequest, MOST_PAIRS } from '../key-custodian.js';
import type { KeysInUse } from './keys-in-use.js';
import { placeOf, rowsAt } from './live-rows.js';
import type { OpeningRecords } from './opening-records.js';
import { requireRows } from './placed-rows.js';
import type { RetiredSlots } from './retired-slots.js';
import type { SealCalls } from './seal-calls.js';
import type { SegmentLedger } from './segment-ledger.js';

/** Compares templates with one another (docs/adr/0014-deduplication-inside-custody.md), and records that it did. */
export class PairComparison {
  constructor(
    private readonly ledger: SegmentLedger,
    private readonly retired: RetiredSlots,
    private readonly inUse: KeysInUse,
    private readonly records: OpeningRecords,
    private readonly thread: Thread<SealCalls>,
  ) {}

  async compare({ galleryId, left, right, threshold }: ComparisonRequest): Promise<readonly AlikePair[]> {
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
      this.thread.call('comparePairs', {
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
}
