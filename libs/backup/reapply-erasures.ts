import { AuditLog } from '#audit/audit-log';
import { DestroyGallery } from '#biometrics/destroy-gallery';
import { EraseSubject } from '#biometrics/erase-subject';
import { EraseTemplate } from '#biometrics/erase-template';
import { FindConsent } from '#consent/find-consent';
import { WithdrawConsent } from '#consent/withdraw-consent';
import { DomainError } from '#platform/domain-error';
import type { ClientId, ConsentId } from '#platform/ids';
import { ScheduleDestruction } from '#retention/schedule-destruction';
import { Command, CommandBus, CommandHandler, type ICommandHandler, QueryBus } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import type { Erasure } from './erasure-shipment.js';

/** What was still there to be erased. */
export type Reapplied = Readonly<Record<Erasure['type'], number>>;

/** Causes before what followed from them, so that records name the cause. */
const ORDER: readonly Erasure['type'][] = [
  'gallery.destroyed',
  'subject.erased',
  'consent.withdrawn',
  'template.erased',
];

/** Erases once more what was erased after a backup was taken, and records that the backup was restored. */
export class ReapplyErasures extends Command<Reapplied> {
  constructor(
    readonly backupId: string,
    readonly erasures: readonly Erasure[],
  ) {
    super();
  }
}

@CommandHandler(ReapplyErasures)
export class ReapplyErasuresHandler implements ICommandHandler<ReapplyErasures> {
  constructor(
    private readonly db: DataSource,
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
    private readonly audit: AuditLog,
  ) {}

  async execute({ backupId, erasures }: ReapplyErasures): Promise<Reapplied> {
    const done = {
      'subject.erased': 0,
      'template.erased': 0,
      'consent.withdrawn': 0,
      'gallery.destroyed': 0,
    };
    for (const type of ORDER) {
      for (const erasure of erasures) {
        if (erasure.type === type && (await this.reapply(erasure))) done[type]++;
      }
    }
    await this.audit.append(this.db.manager, {
      type: 'database.restored',
      outcome: 'ok',
      details: {
        backupId,
        subjectsErased: done['subject.erased'],
        templatesErased: done['template.erased'],
        consentsWithdrawn: done['consent.withdrawn'],
        galleriesDestroyed: done['gallery.destroyed'],
      },
    });
    return done;
  }

  /** Answers whether there was anything left to erase: what was made after the backup is not there. */
  private async reapply(erasure: Erasure): Promise<boolean> {
    try {
      return await this.carryOut(erasure);
    } catch (error) {
      if (error instanceof DomainError && error.problem.status === 404) return false;
      throw error;
    }
  }

  private async carryOut({
    type,
    client_id: clientId,
    subject_id: subjectId,
    gallery_id: galleryId,
    template_id: templateId,
    consent_id: consentId,
    at,
  }: Erasure): Promise<boolean> {
    const askedAt = at === undefined ? new Date() : new Date(at);
    if (type === 'subject.erased' && subjectId !== null) {
      await this.commands.execute(new EraseSubject(clientId, subjectId, askedAt));
    } else if (type === 'gallery.destroyed' && galleryId !== null) {
      await this.commands.execute(new DestroyGallery(clientId, galleryId, 'destroyed_before_restore'));
    } else if (
      type === 'template.erased' &&
      galleryId !== null &&
      subjectId !== null &&
      templateId !== null
    ) {
      const reason = 'erased_before_restore';
      await this.commands.execute(new EraseTemplate(clientId, galleryId, subjectId, templateId, reason));
    } else if (type === 'consent.withdrawn' && consentId !== null) {
      return this.withdraw(clientId, consentId, askedAt);
    } else throw new Error('an erasure without the ids of what was erased');
    return true;
  }

  private async withdraw(clientId: ClientId, consentId: ConsentId, at: Date): Promise<boolean> {
    const { state } = await this.queries.execute(new FindConsent(clientId, consentId));
    if (state !== 'active') return false;
    await this.commands.execute(new WithdrawConsent(clientId, consentId));
    // The worker would do it too, but a restored database holds no such template even for a moment.
    await this.db.transaction((tx) => this.commands.execute(new ScheduleDestruction(tx, consentId, at)));
    return true;
  }
}
