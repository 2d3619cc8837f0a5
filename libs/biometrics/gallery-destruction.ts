import { AuditLog } from '#audit/audit-log';
import { HOLD_COUNTS, restricted } from '#consent/legal-holds';
import { KeyCustodian } from '#custody/key-custodian';
import type { ClientId, GalleryId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { GalleryHoldsData, GalleryNotFound } from './biometrics.errors.js';
import { GalleryStore } from './internal/gallery-store.js';
import { Matcher } from './matcher.js';

/** The end of a gallery, for what must share its transaction. */
@Injectable()
export class GalleryDestruction {
  constructor(
    private readonly galleries: GalleryStore,
    private readonly custodian: KeyCustodian,
    private readonly matcher: Matcher,
    private readonly audit: AuditLog,
  ) {}

  /** Whose gallery it is; throws GalleryNotFound. */
  async ownerOf(tx: EntityManager, galleryId: GalleryId): Promise<ClientId> {
    const [gallery] = await tx.query<{ client_id: ClientId }[]>(
      'SELECT client_id FROM gallery WHERE id = $1',
      [galleryId],
    );
    if (gallery === undefined) throw new GalleryNotFound();
    return gallery.client_id;
  }

  /**
   * Throws GalleryHoldsData while a jurisdiction, an officer or a restriction keeps something in it. Holds the gallery's row
   * until `tx` ends: whoever keeps something of it does so before this looks, or finds it gone.
   */
  async requireNothingHeld(tx: EntityManager, galleryId: GalleryId): Promise<void> {
    await this.galleries.hold(tx, [galleryId]);
    const held = await tx.query<unknown[]>(
      `SELECT 1 FROM held_template WHERE gallery_id = $1 UNION ALL
       SELECT 1 FROM template t JOIN legal_hold h ON h.subject_id = t.subject_id
       WHERE t.gallery_id = $1 AND ${HOLD_COUNTS} AND (h.consent_id IS NULL OR h.consent_id = t.consent_id)
       UNION ALL SELECT 1 FROM template t WHERE t.gallery_id = $1 AND ${restricted('t.subject_id', 't.consent_id')} LIMIT 1`,
      [galleryId],
    );
    if (held.length > 0) throw new GalleryHoldsData();
  }

  /** Destroys the keys, and what was sealed under them. `details` are added to the audit records. */
  async destroy(
    tx: EntityManager,
    clientId: ClientId,
    galleryId: GalleryId,
    details: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    // The keys first: if what follows fails, nothing can be read any more and the call can be repeated.
    await this.custodian.destroy(galleryId);
    await this.galleries.nextVersion(tx, galleryId);
    const [, templates] = await tx.query<[unknown[], number]>('DELETE FROM template WHERE gallery_id = $1', [
      galleryId,
    ]);
    await tx.query('DELETE FROM template_removal WHERE gallery_id = $1', [galleryId]);
    await tx.query('DELETE FROM gallery WHERE id = $1', [galleryId]);
    const event = { outcome: 'ok', clientId, galleryId } as const;
    await this.audit.append(tx, { ...event, type: 'key_set.destroyed', details });
    await this.audit.append(tx, { ...event, type: 'gallery.destroyed', details: { ...details, templates } });
  }

  /** Once it has committed: what this process still holds of it. */
  forget(galleryId: GalleryId): void {
    this.matcher.forget(galleryId);
    this.galleries.forget(galleryId);
  }
}
