import { AuditLog } from '#audit/audit-log';
import { ConsentGate } from '#consent/consent-gate';
import { KeyCustodian } from '#custody/key-custodian';
import type { ClientId, ConsentId, GalleryId, SubjectId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import type { BiometricSample } from './biometric-sample.js';
import { SubjectNotEnrolled, TemplateTampered } from './biometrics.errors.js';
import { GalleryStore } from './internal/gallery-store.js';
import type { Gallery } from './internal/gallery.entity.js';
import { SampleEmbedder } from './internal/sample-embedder.js';
import { Matcher } from './matcher.js';
import { type ScoreBand, scoreBand } from './score-band.js';
import { STORED_ROW, type StoredRow, TemplateBindings } from './template-bindings.js';

export interface Verification {
  readonly match: boolean;
  readonly band?: ScoreBand;
  readonly spoofSuspected?: boolean;
}

/** 1:1: is this the face of that subject? */
export class VerifySubject extends Command<Verification> {
  constructor(
    readonly clientId: ClientId,
    readonly galleryId: GalleryId,
    readonly subjectId: SubjectId,
    readonly sample: BiometricSample,
  ) {
    super();
  }
}

@CommandHandler(VerifySubject)
export class VerifySubjectHandler implements ICommandHandler<VerifySubject> {
  constructor(
    private readonly db: DataSource,
    private readonly galleries: GalleryStore,
    private readonly gate: ConsentGate,
    private readonly samples: SampleEmbedder,
    private readonly matcher: Matcher,
    private readonly bindings: TemplateBindings,
    private readonly custodian: KeyCustodian,
    private readonly audit: AuditLog,
  ) {}

  async execute({ clientId, galleryId, subjectId, sample }: VerifySubject): Promise<Verification> {
    const gallery = await this.galleries.recall(clientId, galleryId);
    const event = { type: 'subject.verified', clientId, subjectId, galleryId } as const;
    return this.audit.recordingRefusals(event, async () => {
      const { consentId, templates } = await this.consentedTemplates(gallery, subjectId);
      const { vector, spoofSuspected } = await this.samples.embedProbe(gallery, sample);
      const scores = await this.matcher.matchTemplates(gallery, templates, vector);
      vector.fill(0);
      const [best] = await this.custodian.openScores({
        galleryId,
        ...scores,
        threshold: gallery.thresholdScore,
        limit: templates.length,
      });
      await this.db.transaction(async (tx) => {
        // A withdrawal answered by now refuses this; one that comes later waits for it.
        const held = await this.gate.require(tx, clientId, subjectId, gallery.purpose);
        if (held !== consentId) throw new SubjectNotEnrolled();
        await this.audit.append(tx, { ...event, outcome: best === undefined ? 'no_match' : 'match' });
      });
      const band = best && scoreBand(gallery, best.score);
      return {
        match: best !== undefined,
        ...(band === undefined ? {} : { band }),
        ...(spoofSuspected === undefined ? {} : { spoofSuspected }),
      };
    });
  }

  /** What was sealed under the consent that is valid now; what rests on an earlier one awaits its erasure. */
  private async consentedTemplates(
    gallery: Gallery,
    subjectId: SubjectId,
  ): Promise<{ consentId: ConsentId; templates: readonly StoredRow[] }> {
    const { id, clientId, purpose } = gallery;
    try {
      const consentId = await this.gate.check(this.db.manager, clientId, subjectId, purpose);
      const templates = await this.db.query<StoredRow[]>(
        `SELECT ${STORED_ROW} FROM template t
         WHERE t.gallery_id = $1 AND t.subject_id = $2 AND t.consent_id = $3`,
        [id, subjectId, consentId],
      );
      if (templates.length === 0) throw new SubjectNotEnrolled();
      const genuine = await this.bindings.genuine(gallery, templates);
      if (genuine.length < templates.length) throw new TemplateTampered();
      return { consentId, templates };
    } catch (error) {
      await this.galleries.require(clientId, id);
      throw error;
    }
  }
}
