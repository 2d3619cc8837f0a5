import { asMaskSeed, type MaskSeed } from '#homomorphic/mask-seed';
import type { GalleryId } from '#platform/ids';
import type { EntityManager } from 'typeorm';
import { KeySetNotFound } from '../custody.errors.js';

export interface KeySet {
  readonly dimension: number;
  readonly maskSeed: MaskSeed;
  /** Another text whenever slots were retired. */
  readonly retirements: string;
  /** The first generation whose keys are still there. */
  readonly oldest: number;
}

/** Throws KeySetNotFound once it is destroyed. */
export async function readKeySet(tx: EntityManager, galleryId: GalleryId): Promise<KeySet> {
  const [row] = await tx.query<
    { mask_seed: Buffer; dimension: number; retirements: string; oldest: number }[]
  >('SELECT mask_seed, dimension, retirements, oldest FROM custody.key_set WHERE gallery_id = $1', [
    galleryId,
  ]);
  if (row === undefined) throw new KeySetNotFound();
  const { dimension, retirements, oldest } = row;
  return { dimension, maskSeed: asMaskSeed(row.mask_seed), retirements, oldest };
}

/** Until `tx` ends, nobody else opens a segment of the gallery or begins a generation of its keys. */
export async function holdSegments(tx: EntityManager, galleryId: GalleryId): Promise<void> {
  await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 2))', [galleryId]);
}
