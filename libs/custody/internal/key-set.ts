import type { GalleryId } from '#platform/ids';
import type { EntityManager } from 'typeorm';
import { KeySetNotFound } from '../custody.errors.js';
import type { WrappedKey } from './seal-calls.js';

/** A gallery's key as it is stored; throws KeySetNotFound once it is destroyed. */
export async function readKeySet(
  tx: EntityManager,
  galleryId: GalleryId,
): Promise<{ key: WrappedKey; dimension: number }> {
  const [row] = await tx.query<{ secret_key: Buffer; dimension: number }[]>(
    'SELECT secret_key, dimension FROM custody.key_set WHERE gallery_id = $1',
    [galleryId],
  );
  if (row === undefined) throw new KeySetNotFound();
  return { key: { galleryId, wrapped: row.secret_key }, dimension: row.dimension };
}
