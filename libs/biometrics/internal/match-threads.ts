import type { Residues } from '#homomorphic/kernel/row-memory';
import type { QuantisedProbe } from '#homomorphic/quantised-vector';
import type { MaskMatrix, SealedRow } from '#homomorphic/sealed-row';
import type { GalleryId, SegmentId } from '#platform/ids';
import { Thread, ThreadFailed } from '#platform/thread';
import type { MatchCalls, PackedRows } from './match-calls.js';

/** Match threads, each holding its share of segments and masks; each of them belongs to one thread. */
export class MatchThreads {
  private readonly threads: readonly Thread<MatchCalls>[];
  private readonly placed = new Map<GalleryId | SegmentId, Thread<MatchCalls>>();
  private next = 0;

  constructor(count: number) {
    const script = new URL('../match.worker.js', import.meta.url);
    this.threads = Array.from({ length: count }, () => new Thread<MatchCalls>(script, undefined));
  }

  async setMasks(galleryId: GalleryId, words: number, masks: MaskMatrix): Promise<void> {
    await this.place(galleryId).call('setMasks', { galleryId, words, masks }, [masks.buffer]);
  }

  /** Takes the rows over. */
  async setRows(segmentId: SegmentId, words: number, packed: PackedRows): Promise<void> {
    const thread = this.placed.get(segmentId) ?? this.place(segmentId);
    await thread.call('setRows', { segmentId, words, packed }, [packed.rows.buffer]);
  }

  async clearRow(segmentId: SegmentId, slot: number): Promise<void> {
    await this.threadOf(segmentId).call('clearRow', { segmentId, slot });
  }

  holds(id: GalleryId | SegmentId): boolean {
    return this.placed.has(id);
  }

  /** Segments by the thread that holds them. */
  lanes(segmentIds: readonly SegmentId[]): SegmentId[][] {
    return [...Map.groupBy(segmentIds, (segmentId) => this.threadOf(segmentId)).values()];
  }

  maskProducts(galleryId: GalleryId, probes: readonly QuantisedProbe[]): Promise<readonly Residues[]> {
    return this.threadOf(galleryId).call('maskProducts', { galleryId, probes });
  }

  /** Of segments that one thread holds: for each of them, for each probe. */
  segmentProducts(
    segmentIds: readonly SegmentId[],
    probes: readonly QuantisedProbe[],
  ): Promise<readonly (readonly Residues[])[]> {
    const [first] = segmentIds;
    if (first === undefined) return Promise.resolve([]);
    return this.threadOf(first).call('segmentProducts', { segmentIds, probes });
  }

  /** Of rows that no thread holds, which it takes over. */
  packedProducts(
    words: number,
    rows: Uint8Array<ArrayBuffer>,
    probes: readonly QuantisedProbe[],
  ): Promise<readonly Residues[]> {
    const [first, ...others] = this.threads;
    if (first === undefined) throw new Error('there are no match threads');
    const idle = others.reduce((best, thread) => (thread.load < best.load ? thread : best), first);
    return idle.call('packedProducts', { words, rows, probes }, [rows.buffer]);
  }

  /** Ahead of every search: no verification waits for more than one segment of one. */
  verify(
    galleryId: GalleryId,
    words: number,
    rows: readonly SealedRow[],
    probe: QuantisedProbe,
  ): Promise<{ readonly c1: Residues; readonly products: Residues }> {
    const joined = new Uint8Array(Buffer.concat(rows));
    return this.threadOf(galleryId).callUrgently('verify', { galleryId, words, rows: joined, probe }, [
      joined.buffer,
    ]);
  }

  drop(ids: readonly (GalleryId | SegmentId)[]): void {
    for (const [thread, own] of Map.groupBy(ids, (id) => this.placed.get(id))) {
      for (const id of own) this.placed.delete(id);
      // If the thread is gone, so is what it held.
      thread?.call('drop', { ids: own }).catch(() => undefined);
    }
  }

  /** After a thread died: what it held is gone, and all is loaded again when it is next needed. */
  dropAll(): void {
    this.drop([...this.placed.keys()]);
  }

  async close(): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.close()));
  }

  private place(id: GalleryId | SegmentId): Thread<MatchCalls> {
    const thread = this.threads[this.next++ % this.threads.length];
    if (thread === undefined) throw new Error('there are no match threads');
    this.placed.set(id, thread);
    return thread;
  }

  private threadOf(id: GalleryId | SegmentId): Thread<MatchCalls> {
    const thread = this.placed.get(id);
    if (thread === undefined) throw new ThreadFailed('something that is not loaded');
    return thread;
  }
}
