import { RingKernel } from '#homomorphic/kernel/ring-kernel';
import { asMaskSeed, expandMasks } from '#homomorphic/mask-seed';
import { SLOTS_PER_SEGMENT } from '#homomorphic/parameters';
import { isId } from '#platform/ids';
import { TableCopy } from '#platform/table-copy';
import { serveCalls } from '#platform/thread';
import { workerData } from 'node:worker_threads';
import type { LoadCalls, ReadSegment } from './internal/load-calls.js';
import { isBound } from './template-binding.js';

const ring = await RingKernel.load();
const table = new TableCopy(String(workerData), 'velum-rows');

async function readSegment({
  galleryId,
  segmentId,
  words,
  key,
  places,
}: Parameters<LoadCalls['readSegment']>[0]): Promise<ReadSegment> {
  if (!isId(galleryId) || !isId(segmentId)) throw new RangeError('not an id');
  const bytes = words * 4;
  const slots = new Uint16Array(SLOTS_PER_SEGMENT);
  const rows = new Uint8Array(SLOTS_PER_SEGMENT * bytes);
  const bySlot = new Map(places.map((place) => [place.slot, place]));
  const unbound: number[] = [];
  const broken: number[] = [];
  let count = 0;
  await table.read(
    `SELECT slot, "row", binding FROM template WHERE gallery_id = '${galleryId}' AND segment_id = '${segmentId}'`,
    ([at, row, binding]) => {
      if (at?.length !== 4 || row?.length !== bytes) throw new RangeError('a row of another form');
      const slot = at.readInt32BE();
      const place = bySlot.get(slot);
      // Enrolled since the places were listed: it comes with the next changes.
      if (place === undefined) return;
      if (binding === undefined) unbound.push(slot);
      else if (key === undefined || !isBound(key, place, row, binding)) {
        broken.push(slot);
        return;
      }
      slots[count] = slot;
      rows.set(row, count * bytes);
      count++;
    },
  );
  return { slots: slots.slice(0, count), rows: rows.slice(0, count * bytes), unbound, broken };
}

serveCalls<LoadCalls>({
  readSegment: async (input) => {
    const value = await readSegment(input);
    return { value, transfer: [value.slots.buffer, value.rows.buffer] };
  },

  expandMasks: ({ seed, words }) => {
    const value = expandMasks(ring, asMaskSeed(seed), words);
    return { value, transfer: [value.buffer] };
  },
});
