import type { EncryptedScores } from '#homomorphic/kernel/segment-memory';
import type { QuantisedProbe } from '#homomorphic/quantised-vector';
import { SLOTS_PER_SEGMENT } from '#homomorphic/parameters';
import type { MaskMatrix, SealedRow } from '#homomorphic/sealed-row';
import type { SegmentId } from '#platform/ids';
import { Thread, ThreadFailed } from '#platform/thread';
import type { MatchCalls } from './match-calls.js';

export interface PlacedRow {
  readonly slot: number;
  readonly row: SealedRow;
}

/** Match threads, each holding its share of the segments; a segment belongs to one thread. */
export class SegmentThreads {
  private readonly threads: readonly Thread<MatchCalls>[];
  private readonly placed = new Map<SegmentId, Thread<MatchCalls>>();
  private readonly loading = new Map<SegmentId, Promise<void>>();
  private next = 0;

  constructor(count: number) {
    const script = new URL('../match.worker.js', import.meta.url);
    this.threads = Array.from({ length: count }, () => new Thread<MatchCalls>(script, undefined));
  }

  /** Loads a segment's masks once; whoever else needs it meanwhile waits. */
  async ensure(segmentId: SegmentId, words: number, readMasks: () => Promise<MaskMatrix>): Promise<void> {
    if (this.placed.has(segmentId)) return;
    const loading = this.loading.get(segmentId) ?? this.load(segmentId, words, readMasks);
    this.loading.set(segmentId, loading);
    await loading.finally(() => this.loading.delete(segmentId));
  }

  async setRows(segmentId: SegmentId, rows: readonly PlacedRow[]): Promise<void> {
    const joined = join(rows);
    await this.threadOf(segmentId).call('setRows', { segmentId, ...joined }, [joined.rows.buffer]);
  }

  async clearRow(segmentId: SegmentId, slot: number): Promise<void> {
    await this.threadOf(segmentId).call('clearRow', { segmentId, slot });
  }

  /** Segments by the thread that holds them. */
  lanes(segmentIds: readonly SegmentId[]): SegmentId[][] {
    return [...Map.groupBy(segmentIds, (segmentId) => this.threadOf(segmentId)).values()];
  }

  /** Of every row, for each probe in turn. */
  match(segmentId: SegmentId, probes: readonly QuantisedProbe[]): Promise<readonly EncryptedScores[]> {
    return this.threadOf(segmentId).call('match', { segmentId, probes });
  }

  matchRows(
    segmentId: SegmentId,
    rows: readonly PlacedRow[],
    probe: QuantisedProbe,
  ): Promise<EncryptedScores> {
    const joined = join(rows);
    return this.threadOf(segmentId).call('matchRows', { segmentId, ...joined, probe }, [joined.rows.buffer]);
  }

  drop(segmentIds: readonly SegmentId[]): void {
    for (const segmentId of segmentIds) {
      const thread = this.placed.get(segmentId);
      this.placed.delete(segmentId);
      // If the thread is gone, so is the segment.
      thread?.call('drop', { segmentIds: [segmentId] }).catch(() => undefined);
    }
  }

  /** After a thread died: what it held is gone, and all is loaded again when it is next needed. */
  dropAll(): void {
    this.drop([...this.placed.keys()]);
  }

  async close(): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.close()));
  }

  /** Bytes of a segment: its masks, and its rows as if it were full. */
  static bytes(words: number): number {
    return 2 * SLOTS_PER_SEGMENT * words * 4;
  }

  private async load(
    segmentId: SegmentId,
    words: number,
    readMasks: () => Promise<MaskMatrix>,
  ): Promise<void> {
    const masks = await readMasks();
    const thread = this.threads[this.next++ % this.threads.length];
    if (thread === undefined) throw new Error('there are no match threads');
    await thread.call('load', { segmentId, words, masks }, [masks.buffer]);
    this.placed.set(segmentId, thread);
  }

  private threadOf(segmentId: SegmentId): Thread<MatchCalls> {
    const thread = this.placed.get(segmentId);
    if (thread === undefined) throw new ThreadFailed('a segment that is not loaded');
    return thread;
  }
}

function join(rows: readonly PlacedRow[]): { slots: number[]; rows: Uint8Array<ArrayBuffer> } {
  return {
    slots: rows.map(({ slot }) => slot),
    rows: new Uint8Array(Buffer.concat(rows.map(({ row }) => row))),
  };
}
