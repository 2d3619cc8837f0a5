import { SLOTS_PER_SEGMENT } from '#homomorphic/parameters';
import type { GalleryId } from '#platform/ids';
import type { EntityManager } from 'typeorm';
import type { Place } from './key-custodian.js';

/** What KeyCustodian.retire does, for whoever must do it before a custodian runs. */
export async function retirePlaces(tx: EntityManager, places: readonly Place[]): Promise<void> {
  const segments = places.map(({ segmentId }) => segmentId);
  // The key sets' rows in the order of their ids: no deadlock, and versions commit in their order.
  const held = await tx.query<{ id: GalleryId }[]>(
    `SELECT gallery_id AS id FROM custody.key_set
     WHERE gallery_id IN (SELECT gallery_id FROM custody.segment WHERE id = ANY($1))
     ORDER BY gallery_id FOR NO KEY UPDATE`,
    [segments],
  );
  await tx.query('UPDATE custody.key_set SET retirements = retirements + 1 WHERE gallery_id = ANY($1)', [
    held.map(({ id }) => id),
  ]);
  await tx.query(
    `INSERT INTO custody.retired (segment_id, slots, version)
     SELECT s.id, bit_or(set_bit(repeat('0', $3)::bit(${SLOTS_PER_SEGMENT}), place.slot, 1)), min(k.retirements)
     FROM unnest($1::uuid[], $2::int[]) AS place (segment_id, slot)
     JOIN custody.segment s ON s.id = place.segment_id AND place.slot >= 0 AND place.slot < s.used
     JOIN custody.key_set k ON k.gallery_id = s.gallery_id
     GROUP BY s.id
     ON CONFLICT (segment_id) DO UPDATE SET slots = retired.slots | EXCLUDED.slots, version = EXCLUDED.version`,
    [segments, places.map(({ slot }) => slot), SLOTS_PER_SEGMENT],
  );
}
