import { AuditLog } from '#audit/audit-log';
import { LegalHolds } from '#consent/legal-holds';
import type { ClientId, DestructionId, GalleryId, SubjectId, TemplateId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import type { EntityManager, FindOptionsWhere } from 'typeorm';
import { TemplateOnHold } from '../biometrics.errors.js';
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
    private readonly holds: LegalHolds,
    private readonly audit: AuditLog,
  ) {}

  /**
   * Erases what `where` names; answers how many. Of a gallery that is destroyed meanwhile nothing is left to erase. With
   * `heldUnder` the rows leave every gallery as well, and are kept where nothing matches them.
   */
  async erase(
    tx: EntityManager,
    where: FindOptionsWhere<Template>,
    reason: ErasureReason,
    heldUnder?: DestructionId,
  ): Promise<number> {
    const found = await tx.find(Template, { where, select: { id: true, galleryId: true } });
    const galleryIds = await this.galleries.hold(tx, [...new Set(found.map(({ galleryId }) => galleryId))]);
    let erased = 0;
    for (const galleryId of galleryIds) erased += await this.eraseIn(tx, galleryId, where, reason, heldUnder);
    return erased;
  }

  /** Destroys what was held; answers how many. */
  async destroyHeld(
    tx: EntityManager,
    destructionId: DestructionId,
    { clientId, subjectId }: { readonly clientId: ClientId; readonly subjectId: SubjectId },
    reason: ErasureReason,
  ): Promise<number> {
    const [held] = await tx.query<[{ id: TemplateId; gallery_id: GalleryId }[], number]>(
      'DELETE FROM held_template WHERE destruction_id = $1 RETURNING id, gallery_id',
      [destructionId],
    );
    for (const { id, gallery_id: galleryId } of held) {
      await this.record(tx, clientId, { id, galleryId, subjectId }, 'template.erased', reason);
    }
    return held.length;
  }

  private async eraseIn(
    tx: EntityManager,
    galleryId: GalleryId,
    where: FindOptionsWhere<Template>,
    reason: ErasureReason,
    heldUnder: DestructionId | undefined,
  ): Promise<number> {
    const version = await this.galleries.nextVersion(tx, galleryId);
    const { clientId } = await tx.findOneByOrFail(Gallery, { id: galleryId });
    // Read again under the gallery's lock: another erasure may have been faster.
    const found = await tx.findBy(Template, { ...where, galleryId });
    const templates = await this.withoutThoseOnHold(tx, found, reason);
    for (const template of templates) {
      if (heldUnder !== undefined) await this.keep(tx, template, heldUnder);
      await tx.delete(Template, { id: template.id });
      await tx.query(
        'INSERT INTO template_removal (gallery_id, version, segment_id, slot) VALUES ($1, $2, $3, $4)',
        [galleryId, version, template.segmentId, template.slot],
      );
      const type = heldUnder === undefined ? 'template.erased' : 'template.held';
      await this.record(tx, clientId, template, type, reason);
    }
    return templates.length;
  }

  /** Whose data ends is decided with holds in mind; here it is about single rows of somebody whose data goes on. */
  private async withoutThoseOnHold(
    tx: EntityManager,
    templates: readonly Template[],
    reason: ErasureReason,
  ): Promise<readonly Template[]> {
    if (reason !== 'deleted_by_client' && reason !== 'replaced') return templates;
    const held = await this.holds.among(
      tx,
      templates.map(({ consentId }) => consentId),
    );
    if (reason === 'deleted_by_client' && held.size > 0) throw new TemplateOnHold();
    return templates.filter(({ consentId }) => !held.has(consentId));
  }

  private async keep(tx: EntityManager, { id }: Template, heldUnder: DestructionId): Promise<void> {
    await tx.query(
      `INSERT INTO held_template (id, destruction_id, gallery_id, consent_id, segment_id, slot, "row", photos, created_at)
       SELECT id, $2, gallery_id, consent_id, segment_id, slot, "row", photos, created_at FROM template WHERE id = $1`,
      [id, heldUnder],
    );
  }

  private async record(
    tx: EntityManager,
    clientId: ClientId,
    template: Pick<Template, 'id' | 'galleryId' | 'subjectId'>,
    type: 'template.erased' | 'template.held',
    reason: ErasureReason,
  ): Promise<void> {
    await this.audit.append(tx, {
      type,
      outcome: 'ok',
      clientId,
      subjectId: template.subjectId,
      galleryId: template.galleryId,
      details: { templateId: template.id, reason },
    });
  }
}
