import { AuditLog } from '#audit/audit-log';
import { HOLD_COUNTS, restricted } from '#consent/legal-holds';
import type { ClientId, GalleryId } from '#platform/ids';
import { Injectable, Logger } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { EntityManager } from 'typeorm';
import { GalleryHoldsData, GalleryNotFound } from './biometrics.errors.js';
import { DestroyKeySets } from './destroy-key-sets.js';
import { GalleryStore } from './internal/gallery-store.js';
import { Matcher } from './matcher.js';

/** The end of a gallery, for what must share its transaction. */
@Injectable()
export class GalleryDestruction {
  private readonly logger = new Logger('galleries');

  constructor(
    private readonly galleries: GalleryStore,
    private readonly matcher: Matcher,
    private readonly audit: AuditLog,
    private readonly commands: CommandBus,
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

  /**
   * From the commit on nothing of the gallery is answered, and it is decided that its keys are destroyed: DestroyKeySets does
   * it, at the custodian, which is no part of this transaction. `details` are added to the audit records.
   */
  async destroy(
    tx: EntityManager,
    clientId: ClientId,
    galleryId: GalleryId,
    details: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    await this.galleries.nextVersion(tx, galleryId);
    await tx.query('INSERT INTO key_set_destruction (gallery_id, client_id, details) VALUES ($1, $2, $3)', [
      galleryId,
      clientId,
      details,
    ]);
    const [, templates] = await tx.query<[unknown[], number]>('DELETE FROM template WHERE gallery_id = $1', [
      galleryId,
    ]);
    await tx.query('DELETE FROM template_removal WHERE gallery_id = $1', [galleryId]);
    await tx.query('DELETE FROM gallery WHERE id = $1', [galleryId]);
    await this.audit.append(tx, {
      type: 'gallery.destroyed',
      outcome: 'ok',
      clientId,
      galleryId,
      details: { ...details, templates },
    });
  }

  /** Once it has committed. If the keys cannot be destroyed now, the worker does it as soon as it can. */
  async afterwards(galleryId: GalleryId): Promise<void> {
    this.matcher.forget(galleryId);
    this.galleries.forget(galleryId);
    try {
      await this.commands.execute(new DestroyKeySets(galleryId));
    } catch (error) {
      const errorName = error instanceof Error ? error.name : 'unknown';
      this.logger.warn({ message: 'the keys are destroyed later', galleryId, errorName });
    }
  }
}
