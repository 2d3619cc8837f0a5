import { AuditLog } from '#audit/audit-log';
import type { ClientId, GalleryId, SubjectId, TemplateId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { TemplateNotFound } from './biometrics.errors.js';
import { GalleryStore } from './internal/gallery-store.js';
import { TemplateErasure } from './internal/template-erasure.js';

export class EraseTemplate extends Command<void> {
  constructor(
    readonly clientId: ClientId,
    readonly galleryId: GalleryId,
    readonly subjectId: SubjectId,
    readonly templateId: TemplateId,
    readonly reason: 'deleted_by_client' | 'erased_before_restore' = 'deleted_by_client',
  ) {
    super();
  }
}

@CommandHandler(EraseTemplate)
export class EraseTemplateHandler implements ICommandHandler<EraseTemplate> {
  constructor(
    private readonly db: DataSource,
    private readonly galleries: GalleryStore,
    private readonly erasure: TemplateErasure,
    private readonly audit: AuditLog,
  ) {}

  async execute({ clientId, galleryId, subjectId, templateId, reason }: EraseTemplate): Promise<void> {
    await this.galleries.require(clientId, galleryId);
    const where = { id: templateId, galleryId, subjectId };
    const details = { templateId, reason };
    const event = { type: 'template.erased', clientId, subjectId, galleryId, details } as const;
    const erase = async (): Promise<void> => {
      const erased = await this.db.transaction((tx) => this.erasure.erase(tx, where, reason));
      if (erased === 0) throw new TemplateNotFound();
    };
    // What a backup does not have is no refusal of anybody's wish.
    await (reason === 'erased_before_restore' ? erase() : this.audit.recordingRefusals(event, erase));
  }
}
