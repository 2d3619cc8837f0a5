import { AuditLog } from '#audit/audit-log';
import { violates } from '#platform/constraint-violation';
import type { Created } from '#platform/idempotency';
import { type ClientId, type GalleryId, type KeyRotationId, newId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { GalleryNotFound, KeyRotationUnderWay } from './biometrics.errors.js';

/** The beginning of a rotation of a gallery's keys, for what must share its transaction. */
@Injectable()
export class KeyRotations {
  constructor(private readonly audit: AuditLog) {}

  /** The rotation before, if there was one. Throws GalleryNotFound, and KeyRotationUnderWay. */
  async before(tx: EntityManager, galleryId: GalleryId): Promise<KeyRotationId | 'none'> {
    const [gallery] = await tx.query<{ last: KeyRotationId | null; open: boolean }[]>(
      `SELECT (SELECT id FROM key_set_rotation WHERE gallery_id = g.id ORDER BY id DESC LIMIT 1) AS last,
              EXISTS (SELECT FROM key_set_rotation WHERE gallery_id = g.id AND ended_at IS NULL) AS open
       FROM gallery g WHERE g.id = $1`,
      [galleryId],
    );
    if (gallery === undefined) throw new GalleryNotFound();
    if (gallery.open) throw new KeyRotationUnderWay();
    return gallery.last ?? 'none';
  }

  /** A worker does it. `details` are added to the audit record. */
  async request(
    tx: EntityManager,
    galleryId: GalleryId,
    details: Readonly<Record<string, string>> = {},
  ): Promise<Created<'key-rotation'>> {
    const [gallery] = await tx.query<{ client_id: ClientId }[]>(
      'SELECT client_id FROM gallery WHERE id = $1',
      [galleryId],
    );
    if (gallery === undefined) throw new GalleryNotFound();
    const { client_id: clientId } = gallery;
    const id = newId<'key-rotation'>();
    const record = newId<'audit-event'>();
    try {
      await tx.query(
        'INSERT INTO key_set_rotation (id, gallery_id, client_id, audit_records) VALUES ($1, $2, $3, ARRAY[$4::uuid])',
        [id, galleryId, clientId, record],
      );
    } catch (error) {
      throw violates(error, 'key_set_rotation_open') ? new KeyRotationUnderWay() : error;
    }
    await this.audit.append(tx, {
      id: record,
      type: 'key_set.rotation_requested',
      outcome: 'ok',
      clientId,
      galleryId,
      details: { ...details, rotationId: id },
    });
    return { id };
  }
}
