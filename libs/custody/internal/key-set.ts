import { asMaskSeed, type MaskSeed } from '#homomorphic/mask-seed';
import type { GalleryId } from '#platform/ids';
import type { EntityManager } from 'typeorm';
import { KeySetNotFound } from '../custody.errors.js';

export interface KeySet {
  readonly dimension: number;
  readonly maskSeed: MaskSeed;
  /** Another text whenever slots were retired. */
  readonly retirements: string;
}

/** Throws KeySetNotFound once it is destroyed. */
export async function readKeySet(tx: EntityManager, galleryId: GalleryId): Promise<KeySet> {
  const [row] = await tx.query<{ mask_seed: Buffer; dimension: number; retirements: string }[]>(
    'SELECT mask_seed, dimension, retirements FROM custody.key_set WHERE gallery_id = $1',
    [galleryId],
  );
  if (row === undefined) throw new KeySetNotFound();
  return { dimension: row.dimension, maskSeed: asMaskSeed(row.mask_seed), retirements: row.retirements };
}
