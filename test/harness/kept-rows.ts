import type { Candidate, KeyCustodian, SegmentRows } from '#custody/key-custodian';
import { RingKernel } from '#homomorphic/kernel/ring-kernel';
import { loadKernel, RowMemory } from '#homomorphic/kernel/row-memory';
import { expandMasks } from '#homomorphic/mask-seed';
import { asScore, quantiseProbe } from '#homomorphic/quantised-vector';
import { asRow } from '#homomorphic/sealed-row';
import { asId, type GalleryId, newId } from '#platform/ids';
import type { Pool } from 'pg';
import { openMatched } from './matching.js';

/** A row as it stood in the database, in the hands of whoever read it there. */
export interface KeptRow {
  readonly segmentId: string;
  readonly slot: number;
  readonly row: Buffer;
}

export async function keepRows(owner: Pool, galleryId: string): Promise<KeptRow[]> {
  const { rows } = await owner.query<KeptRow>(
    'SELECT segment_id AS "segmentId", slot, "row" FROM template WHERE gallery_id = $1 ORDER BY id',
    [galleryId],
  );
  return rows;
}

/** What the custodian says of kept rows to whoever speaks to it as the API does: everything above a score of nearly zero. */
export async function askWith(
  custodian: KeyCustodian,
  galleryId: GalleryId,
  kept: readonly KeptRow[],
  face: readonly number[],
): Promise<readonly Candidate[]> {
  const [kernel, ring] = await Promise.all([loadKernel(), RingKernel.load()]);
  const masks = new RowMemory(kernel, face.length);
  masks.setRows(expandMasks(ring, await custodian.maskSeed(galleryId), face.length));
  const probe = quantiseProbe(face);
  const [c1] = masks.products([probe]);
  const segments = [...Map.groupBy(kept, ({ segmentId }) => segmentId)].map(([segmentId, share]) => {
    const rows = new RowMemory(kernel, face.length);
    for (const { slot, row } of share) rows.setRow(slot, asRow(new Uint8Array(row), face.length));
    const [c0] = rows.products([probe]);
    if (c0 === undefined) throw new Error('no products');
    return { segmentId: asId<'segment'>(segmentId), slots: Uint16Array.from(share, (each) => each.slot), c0 };
  });
  if (c1 === undefined) throw new Error('no products');
  const threshold = asScore(1);
  const asked = { about: 'gallery', clientId: newId<'client'>(), galleryId, probe } as const;
  return openMatched(custodian, { ...asked, c1, segments, threshold, limit: 200 });
}

/** To compare rows with one another; all of one segment, and all of different people. */
export function asSegmentRows(kept: readonly KeptRow[]): SegmentRows {
  return {
    segmentId: asId<'segment'>(kept[0]?.segmentId ?? ''),
    slots: Uint16Array.from(kept, ({ slot }) => slot),
    rows: new Uint8Array(Buffer.concat(kept.map(({ row }) => row))),
    labels: Uint32Array.from(kept.keys()),
  };
}
