import { type KeyCustodian, MOST_CANDIDATES } from '#custody/key-custodian';
import { loadKernel, RowMemory } from '#homomorphic/kernel/row-memory';
import { RingKernel } from '#homomorphic/kernel/ring-kernel';
import { expandMasks } from '#homomorphic/mask-seed';
import { SLOTS_PER_SEGMENT, T } from '#homomorphic/parameters';
import { asScore, type QuantisedProbe } from '#homomorphic/quantised-vector';
import { asRow } from '#homomorphic/sealed-row';
import { type ClientId, type GalleryId, newId, type SegmentId } from '#platform/ids';
import { openMatched } from './matching.js';

export interface ScoredRow {
  /** Whatever tells rows apart. */
  readonly name: string;
  readonly segmentId: SegmentId;
  readonly slot: number;
  readonly row: Uint8Array;
}

/** What each row scores against a probe, as the custodian opens it: all of them, whatever their height. */
export async function exactScores(
  custodian: KeyCustodian,
  galleryId: GalleryId,
  probe: QuantisedProbe,
  rows: readonly ScoredRow[],
  clientId: ClientId = newId<'client'>(),
): Promise<Map<string, number>> {
  const kernel = await loadKernel();
  const words = probe.length;
  const masks = new RowMemory(kernel, words);
  masks.setRows(expandMasks(await RingKernel.load(), await custodian.maskSeed(galleryId), words));
  const scores = new Map<string, number>();
  for (const [segmentId, share] of Map.groupBy(rows, (row) => row.segmentId)) {
    const names = new Map(share.map(({ slot, name }) => [slot, name]));
    const memory = new RowMemory(kernel, words);
    for (const { slot, row } of share) memory.setRow(slot, asRow(row, words));
    const all = share.map(({ slot }) => slot);
    for (let at = 0; at < all.length; at += MOST_CANDIDATES) {
      const [c0 = new Uint32Array(SLOTS_PER_SEGMENT)] = memory.products([probe]);
      const [c1 = new Uint32Array(SLOTS_PER_SEGMENT)] = masks.products([probe]);
      const slots = Uint16Array.from(all.slice(at, at + MOST_CANDIDATES));
      const opened = await openMatched(custodian, {
        about: 'gallery',
        clientId,
        galleryId,
        probe,
        c1,
        segments: [{ segmentId, slots, c0 }],
        threshold: asScore(-T / 2),
        limit: MOST_CANDIDATES,
      });
      for (const { slot, score } of opened) scores.set(names.get(slot) ?? '', score);
    }
  }
  return scores;
}
