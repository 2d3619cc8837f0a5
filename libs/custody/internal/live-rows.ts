import type { SegmentRows } from '../key-custodian.js';

/** Of slots those at the places in `live`, or all. */
export function slotsAt(
  slots: Uint16Array<ArrayBuffer>,
  live: Uint16Array | undefined,
): Uint16Array<ArrayBuffer> {
  if (live === undefined) return slots;
  // A loop and no callbacks, as in RetiredSlots.
  const kept = new Uint16Array(live.length);
  for (let n = 0; n < live.length; n++) kept[n] = slots[live[n] ?? 0] ?? 0;
  return kept;
}

/** Of a segment's rows the same. */
export function rowsAt(
  { segmentId, slots, rows, labels }: SegmentRows,
  live: Uint16Array | undefined,
  words: number,
): SegmentRows {
  if (live === undefined) return { segmentId, slots, rows, labels };
  const kept = new Uint8Array(live.length * words * 4);
  live.forEach((i, n) => kept.set(rows.subarray(i * words * 4, (i + 1) * words * 4), n * words * 4));
  return {
    segmentId,
    slots: slotsAt(slots, live),
    rows: kept,
    labels: Uint32Array.from(live, (i) => labels[i] ?? 0),
  };
}

/** In the request, of a row that was compared. */
export function placeOf(row: number, live: Uint16Array | undefined): number {
  return live === undefined ? row : (live[row] ?? 0);
}
