import { asRow } from '#homomorphic/sealed-row';
import { asId } from '#platform/ids';
import { OpeningRefused } from '../custody.errors.js';
import type { PlacedRows, SealedTemplate } from '../key-custodian.js';
import type { WrappedSecret } from './seal-calls.js';

/** Rows one after the other, of slot `first` and those that follow. */
export function placedRows(
  { segmentId }: WrappedSecret,
  first: number,
  rows: Uint8Array<ArrayBuffer>,
  words: number,
): SealedTemplate[] {
  return Array.from({ length: rows.length / (words * 4) }, (_, n) => ({
    segmentId: asId<'segment'>(segmentId),
    slot: first + n,
    row: asRow(rows.subarray(n * words * 4, (n + 1) * words * 4), words),
  }));
}

/** Throws unless these are rows of `words` words, each of a slot of its own. */
export function requireRows({ slots, rows }: PlacedRows, words: number): void {
  if (rows.length !== slots.length * words * 4) throw new RangeError('rows and slots do not belong together');
  // A pad seals one row: of two, one is forged.
  if (new Set(slots).size !== slots.length) throw new OpeningRefused('a slot that is named twice');
}
