import { AuditLog } from '#audit/audit-log';
import { KeyCustodian } from '#custody/key-custodian';
import { HOLD_COUNTS } from '#consent/legal-holds';
import type { ClientId, GalleryId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { GalleryHoldsData } from './biometrics.errors.js';
import { GalleryStore } from './internal/gallery-store.js';
import { Matcher } from './matcher.js';

export class DestroyGallery extends Command<void> {
  constructor(
    readonly clientId: ClientId,
    readonly galleryId: GalleryId,
    readonly reason: 'destroyed_by_client' | 'destroyed_before_restore' = 'destroyed_by_client',
  ) {
    super();
  }
}

@CommandHandler(DestroyGallery)
export class DestroyGalleryHandler implements ICommandHandler<DestroyGallery> {
  constructor(
    private readonly db: DataSource,
    private readonly galleries: GalleryStore,
    private readonly custodian: KeyCustodian,
    private readonly matcher: Matcher,
    private readonly audit: AuditLog,
  ) {}

  async execute({ clientId, galleryId, reason }: DestroyGallery): Promise<void> {
    await this.galleries.require(clientId, galleryId);
    if (reason === 'destroyed_by_client') await this.requireNothingHeld(galleryId);
    // The keys first: if what follows fails, nothing can be read any more and the call can be repeated.
    await this.custodian.destroy(galleryId);
    await this.db.transaction(async (tx) => {
      await this.galleries.nextVersion(tx, galleryId);
      const [, templates] = await tx.query<[unknown[], number]>(
        'DELETE FROM template WHERE gallery_id = $1',
        [galleryId],
      );
      await tx.query('DELETE FROM template_removal WHERE gallery_id = $1', [galleryId]);
      await tx.query('DELETE FROM gallery WHERE id = $1', [galleryId]);
      const event = { outcome: 'ok', clientId, galleryId } as const;
      await this.audit.append(tx, { ...event, type: 'key_set.destroyed' });
      await this.audit.append(tx, { ...event, type: 'gallery.destroyed', details: { templates } });
    });
    this.matcher.forget(galleryId);
    this.galleries.forget(galleryId);
  }

  private async requireNothingHeld(galleryId: GalleryId): Promise<void> {
    const held = await this.db.query<unknown[]>(
      `SELECT 1 FROM held_template WHERE gallery_id = $1 UNION ALL
       SELECT 1 FROM template t JOIN legal_hold h ON h.subject_id = t.subject_id
       WHERE t.gallery_id = $1 AND ${HOLD_COUNTS} AND (h.consent_id IS NULL OR h.consent_id = t.consent_id) LIMIT 1`,
      [galleryId],
    );
    if (held.length > 0) throw new GalleryHoldsData();
  }
}
