import { RingKernel } from '#homomorphic/kernel/ring-kernel';
import { asMaskSeed, expandMasks } from '#homomorphic/mask-seed';
import { SLOTS_PER_SEGMENT } from '#homomorphic/parameters';
import { isId } from '#platform/ids';
import { TableCopy } from '#platform/table-copy';
import { serveCalls } from '#platform/thread';
import { workerData } from 'node:worker_threads';
import type { LoadCalls } from './internal/load-calls.js';
import type { PackedRows } from './internal/match-calls.js';

const ring = await RingKernel.load();
const table = new TableCopy(String(workerData), 'velum-rows');

async function readSegment(galleryId: string, segmentId: string, words: number): Promise<PackedRows> {
  if (!isId(galleryId) || !isId(segmentId)) throw new RangeError('not an id');
  const bytes = words * 4;
  const slots = new Uint16Array(SLOTS_PER_SEGMENT);
  const rows = new Uint8Array(SLOTS_PER_SEGMENT * bytes);
  let count = 0;
  await table.read(
    `SELECT slot, "row" FROM template WHERE gallery_id = '${galleryId}' AND segment_id = '${segmentId}'`,
    ([slot, row]) => {
      if (slot?.length !== 4 || row?.length !== bytes) throw new RangeError('a row of another form');
      slots[count] = slot.readInt32BE();
      rows.set(row, count * bytes);
      count++;
    },
  );
  return { slots: slots.slice(0, count), rows: rows.slice(0, count * bytes) };
}

serveCalls<LoadCalls>({
  readSegment: async ({ galleryId, segmentId, words }) => {
    const value = await readSegment(galleryId, segmentId, words);
    return { value, transfer: [value.slots.buffer, value.rows.buffer] };
  },

  expandMasks: ({ seed, words }) => {
    const value = expandMasks(ring, asMaskSeed(seed), words);
    return { value, transfer: [value.buffer] };
  },
});
