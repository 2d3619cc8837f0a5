import { AuditLog } from '#audit/audit-log';
import type { GalleryId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { Gallery } from './internal/gallery.entity.js';
import { bindingOf } from './template-binding.js';
import { STORED_ROW, type StoredRow, TemplateBindings } from './template-bindings.js';

const AT_ONCE = 500;

/**
 * Binds what the version before enrolled, which bound nothing, if the audit log knows its enrolment; answers how many.
 * Once that version serves nowhere any more there is nothing to bind, and the version after this one need not look.
 */
export class BindTemplates extends Command<number> {}

@CommandHandler(BindTemplates)
export class BindTemplatesHandler implements ICommandHandler<BindTemplates> {
  constructor(
    private readonly db: DataSource,
    private readonly bindings: TemplateBindings,
    private readonly audit: AuditLog,
  ) {}

  async execute(): Promise<number> {
    const galleries = await this.db.query<{ id: GalleryId }[]>(
      `SELECT id FROM gallery WHERE binding_key IS NULL
       UNION SELECT t.gallery_id FROM template t WHERE t.binding IS NULL AND NOT EXISTS
         (SELECT FROM broken_binding b WHERE b.template_id = t.id)`,
    );
    let bound = 0;
    for (const { id } of galleries) {
      await this.db.query('UPDATE gallery SET binding_key = $2 WHERE id = $1 AND binding_key IS NULL', [
        id,
        this.bindings.newKey(id),
      ]);
      for (let taken = AT_ONCE; taken > 0; bound += taken) taken = await this.bindSome(id);
    }
    return bound;
  }

  private async bindSome(galleryId: GalleryId): Promise<number> {
    const gallery = await this.db.manager.findOneBy(Gallery, { id: galleryId });
    const key = gallery === null ? undefined : await this.bindings.keyOf(gallery);
    if (gallery === null || key === undefined) return 0;
    const { clientId } = gallery;
    const { taken, forged } = await this.db.transaction(async (tx) => {
      const rows = await tx.query<StoredRow[]>(
        `SELECT ${STORED_ROW} FROM template t WHERE t.gallery_id = $1 AND t.binding IS NULL AND NOT EXISTS
           (SELECT FROM broken_binding b WHERE b.template_id = t.id)
         ORDER BY t.id LIMIT ${AT_ONCE} FOR NO KEY UPDATE OF t SKIP LOCKED`,
        [galleryId],
      );
      const recorded = await this.bindings.recorded(tx, galleryId, rows);
      const genuine = rows.filter(({ templateId }) => recorded.has(templateId));
      await tx.query(
        `UPDATE template t SET binding = made.binding FROM unnest($1::uuid[], $2::bytea[]) AS made (id, binding)
         WHERE t.id = made.id`,
        [genuine.map(({ templateId }) => templateId), genuine.map((row) => bindingOf(key, row, row.row))],
      );
      await this.audit.appendAll(
        tx,
        genuine.map(({ templateId, subjectId, consentId }) => ({
          type: 'template.bound',
          outcome: 'ok',
          clientId,
          subjectId,
          galleryId,
          details: { templateId, consentId },
        })),
      );
      return { taken: rows.length, forged: rows.filter(({ templateId }) => !recorded.has(templateId)) };
    });
    await this.bindings.report(gallery, forged);
    return taken;
  }
}
