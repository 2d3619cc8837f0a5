import { ConsentGate } from '#consent/consent-gate';
import type { ClientId, ConsentId, GalleryId, SubjectId, TemplateId } from '#platform/ids';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { GalleryStore } from './internal/gallery-store.js';
import { Template } from './internal/template.entity.js';

/** What is told of a template: never its row. */
export interface TemplateView {
  readonly id: TemplateId;
  readonly galleryId: GalleryId;
  readonly subjectId: SubjectId;
  readonly consentId: ConsentId;
  readonly photos: number;
  /** Bytes of the sealed row. */
  readonly bytes: number;
  readonly createdAt: Date;
}

/** All templates of a subject in a gallery: MOST_TEMPLATES at the most. */
export class ListTemplates extends Query<readonly TemplateView[]> {
  constructor(
    readonly clientId: ClientId,
    readonly galleryId: GalleryId,
    readonly subjectId: SubjectId,
  ) {
    super();
  }
}

@QueryHandler(ListTemplates)
export class ListTemplatesHandler implements IQueryHandler<ListTemplates> {
  constructor(
    private readonly db: DataSource,
    private readonly galleries: GalleryStore,
    private readonly gate: ConsentGate,
  ) {}

  async execute({ clientId, galleryId, subjectId }: ListTemplates): Promise<readonly TemplateView[]> {
    await this.galleries.require(clientId, galleryId);
    await this.db.transaction((tx) => this.gate.requireSubject(tx, clientId, subjectId));
    const templates = await this.db.manager.find(Template, {
      where: { galleryId, subjectId },
      order: { id: 'ASC' },
    });
    return templates.map(({ id, consentId, photos, row, createdAt }) => ({
      id,
      galleryId,
      subjectId,
      consentId,
      photos,
      bytes: row.length,
      createdAt,
    }));
  }
}
