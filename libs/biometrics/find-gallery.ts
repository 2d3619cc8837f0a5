import type { ClientId, GalleryId } from '#platform/ids';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { GalleryStore } from './internal/gallery-store.js';
import type { Disclosure, Gallery, PresentationPolicy } from './internal/gallery.entity.js';

export interface GalleryView {
  readonly id: GalleryId;
  readonly name: string;
  readonly purpose: string;
  readonly model: string;
  readonly dimension: number;
  readonly threshold: { readonly cosine: number; readonly targetFalseMatchRate: number | null };
  readonly disclosure: Disclosure;
  readonly presentationAttack: PresentationPolicy;
  readonly createdAt: Date;
}

export class FindGallery extends Query<GalleryView> {
  constructor(
    readonly clientId: ClientId,
    readonly galleryId: GalleryId,
  ) {
    super();
  }
}

@QueryHandler(FindGallery)
export class FindGalleryHandler implements IQueryHandler<FindGallery> {
  constructor(private readonly galleries: GalleryStore) {}

  async execute({ clientId, galleryId }: FindGallery): Promise<GalleryView> {
    return showGallery(await this.galleries.require(clientId, galleryId));
  }
}

export function showGallery(gallery: Gallery): GalleryView {
  const { id, name, purpose, model, dimension, disclosure, presentationAttack, createdAt } = gallery;
  const { thresholdCosine: cosine, targetFalseMatchRate } = gallery;
  return {
    id,
    name,
    purpose,
    model,
    dimension,
    threshold: { cosine, targetFalseMatchRate },
    disclosure,
    presentationAttack,
    createdAt,
  };
}
