import { hkdfSync, randomBytes } from 'node:crypto';
import type { GalleryId } from '#platform/ids';
import type { EntityManager } from 'typeorm';

const SHARE_BYTES = 32;

/**
 * The second part of a key set, 32 random bytes that no dump of a backup has in it: without them a segment's secret is
 * noise, whoever has the key-encryption key (docs/adr/0039-what-is-destroyed-stays-destroyed.md). Made with the first
 * segment that needs it.
 */
export async function ensureShare(tx: EntityManager, galleryId: GalleryId): Promise<Uint8Array<ArrayBuffer>> {
  // Where segments are under one that is not there, another would only hide that it is lost.
  await tx.query(
    `INSERT INTO custody.key_share (gallery_id, share)
     SELECT $1, $2 WHERE NOT EXISTS (SELECT FROM custody.segment WHERE gallery_id = $1 AND under_share)
     ON CONFLICT (gallery_id) DO NOTHING`,
    [galleryId, randomBytes(SHARE_BYTES)],
  );
  const [row] = await tx.query<{ share: Buffer }[]>(
    'SELECT share FROM custody.key_share WHERE gallery_id = $1',
    [galleryId],
  );
  if (row === undefined) throw new Error('a key set without a share');
  return new Uint8Array(row.share);
}

/**
 * Puts a segment's secret under the share, in place, and takes it out again. HKDF-SHA256 (RFC 5869) gives each segment a
 * stream of its own; that nothing is changed is for the authenticated encryption around it.
 */
export function applyShare(secret: Uint8Array, share: Uint8Array, segmentId: string): void {
  const stream = new Uint8Array(
    hkdfSync('sha256', share, '', `velum segment secret ${segmentId}`, secret.length),
  );
  for (let i = 0; i < secret.length; i++) secret[i] = (secret[i] ?? 0) ^ (stream[i] ?? 0);
  stream.fill(0);
}
