import { AuditLog } from '#audit/audit-log';
import type { ClientId, GalleryId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import type { EntityManager, FindOptionsWhere } from 'typeorm';
import { GalleryStore } from './gallery-store.js';
import { Gallery } from './gallery.entity.js';
import { Template } from './template.entity.js';

export type ErasureReason =
  'deleted_by_client' | 'subject_erased' | 'consent_ended' | 'replaced' | 'erased_before_restore';

/** Deleting rows, telling matchers, and the audit record: one transaction, whoever asks. */
@Injectable()
export class TemplateErasure {
  constructor(
    private readonly galleries: GalleryStore,
    private readonly audit: AuditLog,
  ) {}

  /** Erases what `where` names; answers how many. Of a gallery that is destroyed meanwhile nothing is left to erase. */
  async erase(tx: EntityManager, where: FindOptionsWhere<Template>, reason: ErasureReason): Promise<number> {
    const found = await tx.find(Template, { where, select: { id: true, galleryId: true } });
    const galleryIds = await this.galleries.hold(tx, [...new Set(found.map(({ galleryId }) => galleryId))]);
    let erased = 0;
    for (const galleryId of galleryIds) erased += await this.eraseIn(tx, galleryId, where, reason);
    return erased;
  }

  private async eraseIn(
    tx: EntityManager,
    galleryId: GalleryId,
    where: FindOptionsWhere<Template>,
    reason: ErasureReason,
  ): Promise<number> {
    const version = await this.galleries.nextVersion(tx, galleryId);
    const { clientId } = await tx.findOneByOrFail(Gallery, { id: galleryId });
    // Read again under the gallery's lock: another erasure may have been faster.
    const templates = await tx.findBy(Template, { ...where, galleryId });
    for (const template of templates) {
      await tx.delete(Template, { id: template.id });
      await tx.query(
        'INSERT INTO template_removal (gallery_id, version, segment_id, slot) VALUES ($1, $2, $3, $4)',
        [galleryId, version, template.segmentId, template.slot],
      );
      await this.record(tx, clientId, template, reason);
    }
    return templates.length;
  }

  private async record(
    tx: EntityManager,
    clientId: ClientId,
    template: Template,
    reason: ErasureReason,
  ): Promise<void> {
    await this.audit.append(tx, {
      type: 'template.erased',
      outcome: 'ok',
      clientId,
      subjectId: template.subjectId,
      galleryId: template.galleryId,
      details: { templateId: template.id, reason },
    });
  }
}
