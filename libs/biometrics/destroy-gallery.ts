import type { ClientId, GalleryId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { GalleryDestruction } from './gallery-destruction.js';
import { GalleryStore } from './internal/gallery-store.js';

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
    private readonly destruction: GalleryDestruction,
  ) {}

  async execute({ clientId, galleryId }: DestroyGallery): Promise<void> {
    await this.galleries.require(clientId, galleryId);
    await this.db.transaction((tx) => this.destruction.destroy(tx, clientId, galleryId));
    this.destruction.forget(galleryId);
  }
}
