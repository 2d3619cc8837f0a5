import { AuditLog } from '#audit/audit-log';
import { KeyCustodian } from '#custody/key-custodian';
import type { ClientId, GalleryId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { GalleryStore } from './internal/gallery-store.js';
import { Matcher } from './matcher.js';

export class DestroyGallery extends Command<void> {
  constructor(
    readonly clientId: ClientId,
    readonly galleryId: GalleryId,
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

  async execute({ clientId, galleryId }: DestroyGallery): Promise<void> {
    await this.galleries.require(clientId, galleryId);
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
}
