import { isBound } from '#biometrics/template-binding';
import { asId, type GalleryId } from '#platform/ids';
import { TableCopy } from '#platform/table-copy';
import type { KeyObject } from 'node:crypto';
import { median } from '../load.js';

const ROUNDS = 5;

export interface BindingCost {
  readonly rows: number;
  /** Milliseconds of processor time to read all rows of a gallery, and to read and check them. */
  readonly plain: number;
  readonly checked: number;
}

/** What loading a gallery does with its rows, in turns with the check of each and without. */
export async function measureBinding(
  databaseUrl: string,
  galleryId: GalleryId,
  key: KeyObject,
): Promise<BindingCost> {
  const table = new TableCopy(databaseUrl, 'velum-bench');
  const times: Record<'plain' | 'checked', number[]> = { plain: [], checked: [] };
  let rows = 0;
  const read = async (check: boolean): Promise<void> => {
    const started = process.cpuUsage();
    rows = 0;
    await table.read(
      `SELECT slot, "row", binding, id::text, subject_id::text, consent_id::text, segment_id::text
       FROM template WHERE gallery_id = '${galleryId}'`,
      ([slot, row, binding, id, subjectId, consentId, segmentId]) => {
        if (slot === undefined || row === undefined || binding === undefined) throw new Error('no such row');
        rows++;
        const place = {
          galleryId,
          templateId: asId<'template'>(String(id)),
          subjectId: asId<'subject'>(String(subjectId)),
          consentId: asId<'consent'>(String(consentId)),
          segmentId: asId<'segment'>(String(segmentId)),
          slot: slot.readInt32BE(),
        };
        if (check && !isBound(key, place, row, binding)) throw new Error('a row that is not bound');
      },
    );
    const { user, system } = process.cpuUsage(started);
    times[check ? 'checked' : 'plain'].push((user + system) / 1_000);
  };
  for (let round = 0; round < ROUNDS; round++) {
    await read(false);
    await read(true);
  }
  return { rows, plain: median(times.plain), checked: median(times.checked) };
}
