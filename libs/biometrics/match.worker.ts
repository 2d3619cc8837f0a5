import { type EncryptedScores, loadKernel, SegmentMemory } from '#homomorphic/kernel/segment-memory';
import { SLOTS_PER_SEGMENT } from '#homomorphic/parameters';
import { asQuantisedProbe } from '#homomorphic/quantised-vector';
import { asMasks, asRow } from '#homomorphic/sealed-row';
import { serveCalls } from '#platform/thread';
import type { MatchCalls } from './internal/match-calls.js';

const kernel = await loadKernel();
const segments = new Map<string, SegmentMemory>();

function segment(segmentId: string): SegmentMemory {
  const found = segments.get(segmentId);
  if (found === undefined) throw new RangeError('a segment that was not loaded');
  return found;
}

function setRows(segmentId: string, slots: readonly number[], rows: Uint8Array): void {
  const bytes = rows.length / slots.length;
  slots.forEach((slot, i) => {
    segment(segmentId).setRow(slot, asRow(rows.subarray(i * bytes, (i + 1) * bytes), bytes / 4));
  });
}

function transfer(matched: readonly EncryptedScores[]): ArrayBuffer[] {
  return matched.flatMap(({ c0, c1 }) => [c0.buffer, c1.buffer]);
}

serveCalls<MatchCalls>({
  load: ({ segmentId, words, masks }) => {
    segments.set(segmentId, new SegmentMemory(kernel, words, asMasks(masks, words, SLOTS_PER_SEGMENT)));
    return { value: true };
  },

  setRows: ({ segmentId, slots, rows }) => {
    setRows(segmentId, slots, rows);
    return { value: true };
  },

  clearRow: ({ segmentId, slot }) => {
    segment(segmentId).clearRow(slot);
    return { value: true };
  },

  match: ({ segmentId, probes }) => {
    const value = segment(segmentId).matchAll(probes.map(asQuantisedProbe));
    for (const probe of probes) probe.fill(0);
    return { value, transfer: transfer(value) };
  },

  matchRows: ({ segmentId, slots, rows, probe }) => {
    setRows(segmentId, slots, rows);
    const value = segment(segmentId).match(asQuantisedProbe(probe), slots);
    probe.fill(0);
    return { value, transfer: transfer([value]) };
  },

  drop: ({ segmentIds }) => {
    for (const segmentId of segmentIds) segments.delete(segmentId);
    return { value: true };
  },
});
