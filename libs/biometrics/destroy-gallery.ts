import { AuditLog } from '#audit/audit-log';
import type { ClientId, GalleryId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource, type EntityManager } from 'typeorm';
import { GalleryDestruction } from './gallery-destruction.js';
import { GalleryStore } from './internal/gallery-store.js';

export class DestroyGallery extends Command<void> {
  constructor(
    readonly clientId: ClientId,
    readonly galleryId: GalleryId,
    readonly reason: 'destroyed_by_client' | 'destroyed_before_restore' = 'destroyed_by_client',
    /** What else permits it, in the transaction and once the gallery is held; it throws if nothing does. */
    readonly permitted?: (tx: EntityManager) => Promise<void>,
  ) {
    super();
  }
}

@CommandHandler(DestroyGallery)
export class DestroyGalleryHandler implements ICommandHandler<DestroyGallery> {
  constructor(
    private readonly db: DataSource,
    private readonly galleries: GalleryStore,
    private readonly destruction: GalleryDestruction,
    private readonly audit: AuditLog,
  ) {}

  async execute({ clientId, galleryId, reason, permitted }: DestroyGallery): Promise<void> {
    await this.galleries.require(clientId, galleryId);
    await this.audit.recordingRefusals({ type: 'gallery.destroyed', clientId, galleryId }, () =>
      this.db.transaction(async (tx) => {
        if (reason === 'destroyed_by_client') await this.destruction.requireNothingHeld(tx, galleryId);
        await permitted?.(tx);
        await this.destruction.destroy(tx, clientId, galleryId);
      }),
    );
    await this.destruction.afterwards(galleryId);
  }
}
