import { ConsentGate } from '#consent/consent-gate';
import type { ConsentId, GalleryId, TemplateId } from '#platform/ids';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

/** Those of these templates that are still there and whose consent is valid now. */
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
  ) {}

  async execute({ galleryId, templateIds }: ListMatchable): Promise<ReadonlySet<TemplateId>> {
    const rows = await this.db.query<{ id: TemplateId; consent_id: ConsentId }[]>(
      'SELECT id, consent_id FROM template WHERE gallery_id = $1 AND id = ANY($2)',
      [galleryId, templateIds],
    );
    const valid = await this.gate.validNow(this.db.manager, [
      ...new Set(rows.map(({ consent_id }) => consent_id)),
    ]);
    return new Set(rows.flatMap(({ id, consent_id }) => (valid.has(consent_id) ? [id] : [])));
  }
}
