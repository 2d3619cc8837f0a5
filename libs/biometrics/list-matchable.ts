import { ConsentGate } from '#consent/consent-gate';
import type { GalleryId, TemplateId } from '#platform/ids';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { Gallery } from './internal/gallery.entity.js';
import { STORED_ROW, type StoredRow, TemplateBindings } from './template-bindings.js';

/** Those of these templates that are still there, where they were enrolled, and whose consent is valid now. */
export class ListMatchable extends Query<ReadonlySet<TemplateId>> {
  constructor(
    readonly galleryId: GalleryId,
    readonly templateIds: readonly TemplateId[],
  ) {
    super();
  }
}

@QueryHandler(ListMatchable)
export class ListMatchableHandler implements IQueryHandler<ListMatchable> {
  constructor(
    private readonly db: DataSource,
    private readonly gate: ConsentGate,
    private readonly bindings: TemplateBindings,
  ) {}

  async execute({ galleryId, templateIds }: ListMatchable): Promise<ReadonlySet<TemplateId>> {
    const gallery = await this.db.manager.findOneBy(Gallery, { id: galleryId });
    if (gallery === null) return new Set();
    const rows = await this.db.query<StoredRow[]>(
      `SELECT ${STORED_ROW} FROM template t WHERE t.gallery_id = $1 AND t.id = ANY($2)`,
      [galleryId, templateIds],
    );
    const valid = await this.gate.validNow(this.db.manager, [
      ...new Set(rows.map(({ consentId }) => consentId)),
    ]);
    const genuine = await this.bindings.genuine(
      gallery,
      rows.filter(({ consentId }) => valid.has(consentId)),
    );
    return new Set(genuine.map(({ templateId }) => templateId));
  }
}
