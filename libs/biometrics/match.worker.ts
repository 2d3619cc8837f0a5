import { loadKernel, type Residues, RowMemory } from '#homomorphic/kernel/row-memory';
import { asQuantisedProbe, type QuantisedProbe } from '#homomorphic/quantised-vector';
import { asRow } from '#homomorphic/sealed-row';
import { serveCalls } from '#platform/thread';
import type { MatchCalls } from './internal/match-calls.js';

const kernel = await loadKernel();
/** A gallery's masks by its id, a segment's rows by its. */
const held = new Map<string, RowMemory>();
/** For rows that pass through, by the words of a row. */
const passing = new Map<number, RowMemory>();

function memory(id: string): RowMemory {
  const found = held.get(id);
  if (found === undefined) throw new RangeError('something that is not loaded');
  return found;
}

function products(of: RowMemory, probes: readonly Int8Array<ArrayBuffer>[]): Residues[] {
  return of.products(probes.map(asQuantisedProbe));
}

/** Of rows that are cleared again at once, in a memory that is kept: making one takes longer than a verification. */
function productsOnce(words: number, rows: Uint8Array, probes: readonly QuantisedProbe[]): Residues[] {
  const once = passing.get(words) ?? new RowMemory(kernel, words);
  passing.set(words, once);
  try {
    once.setRows(rows);
    return once.products(probes);
  } finally {
    once.clear();
  }
}

function buffersOf(residues: readonly Residues[]): ArrayBuffer[] {
  return residues.map(({ buffer }) => buffer);
}

function wipe(probes: readonly Int8Array[]): void {
  for (const probe of probes) probe.fill(0);
}

const letUrgentIn = serveCalls<MatchCalls>({
  setMasks: ({ galleryId, words, masks }) => {
    const memoryOfMasks = new RowMemory(kernel, words);
    memoryOfMasks.setRows(masks);
    held.set(galleryId, memoryOfMasks);
    return { value: true };
  },

  setRows: ({ segmentId, words, packed: { slots, rows } }) => {
    const segment = held.get(segmentId) ?? new RowMemory(kernel, words);
    held.set(segmentId, segment);
    const bytes = words * 4;
    slots.forEach((slot, n) => segment.setRow(slot, asRow(rows.subarray(n * bytes, (n + 1) * bytes), words)));
    return { value: true };
  },

  clearRow: ({ segmentId, slot }) => {
    memory(segmentId).clearRow(slot);
    return { value: true };
  },

  maskProducts: ({ galleryId, probes }) => {
    const value = products(memory(galleryId), probes);
    wipe(probes);
    return { value, transfer: buffersOf(value) };
  },

  segmentProducts: ({ segmentIds, probes }) => {
    const value = segmentIds.map((segmentId) => {
      letUrgentIn();
      return products(memory(segmentId), probes);
    });
    wipe(probes);
    return { value, transfer: buffersOf(value.flat()) };
  },

  packedProducts: ({ words, rows, probes }) => {
    const value = productsOnce(words, rows, probes.map(asQuantisedProbe));
    wipe(probes);
    return { value, transfer: buffersOf(value) };
  },

  verify: ({ galleryId, words, rows, probe }) => {
    const asked = asQuantisedProbe(probe);
    const [c1] = products(memory(galleryId), [asked]);
    const [all] = productsOnce(words, rows, [asked]);
    probe.fill(0);
    if (c1 === undefined || all === undefined) throw new RangeError('a probe without products');
    return { value: { c1, products: all }, transfer: buffersOf([c1, all]) };
  },

  drop: ({ ids }) => {
    for (const id of ids) held.delete(id);
    return { value: true };
  },
});
