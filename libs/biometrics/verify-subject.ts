import { AuditLog } from '#audit/audit-log';
import { ConsentGate } from '#consent/consent-gate';
import { SubjectPresence } from '#consent/subject-presence';
import { type Candidate, KeyCustodian } from '#custody/key-custodian';
import type { QuantisedProbe, Score } from '#homomorphic/quantised-vector';
import type { ClientId, ConsentId, GalleryId, SubjectId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import type { BiometricSample } from './biometric-sample.js';
import { SubjectNotEnrolled, TemplateTampered } from './biometrics.errors.js';
import { GalleryStore } from './internal/gallery-store.js';
import type { LastingGallery } from './internal/gallery.entity.js';
import { withRowsAsTheyAre } from './internal/moved-rows.js';
import { SampleEmbedder } from './internal/sample-embedder.js';
import { Matcher } from './matcher.js';
import { type ScoreBand, scoreBand } from './score-band.js';
import { STORED_ROW, type StoredRow, TemplateBindings } from './template-bindings.js';

export interface Verification {
  readonly match: boolean;
  readonly band?: ScoreBand;
  readonly spoofSuspected?: boolean;
}

interface ConsentedTemplates {
  readonly consentId: ConsentId;
  readonly templates: readonly StoredRow[];
  /** The gallery's, now. */
  readonly threshold: Score;
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
    private readonly presence: SubjectPresence,
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
      let read: ConsentedTemplates | undefined = await this.consentedTemplates(gallery, subjectId);
      const { vector, spoofSuspected } = await this.samples.embedProbe(gallery, sample);
      const { consentId, threshold, best } = await withRowsAsTheyAre(async () => {
        const consented = read ?? (await this.consentedTemplates(gallery, subjectId));
        read = undefined;
        return { ...consented, best: await this.best(gallery, consented, vector) };
      }).finally(() => vector.fill(0));
      if (best !== undefined) await this.presence.note([subjectId]);
      await this.db.transaction(async (tx) => {
        // A withdrawal answered by now refuses this; one that comes later waits for it.
        const held = await this.gate.require(tx, clientId, subjectId, gallery.purpose);
        if (held !== consentId) throw new SubjectNotEnrolled();
        await this.audit.append(tx, { ...event, outcome: best === undefined ? 'no_match' : 'match' });
      });
      const band = best && scoreBand(gallery, best.score, threshold);
      return {
        match: best !== undefined,
        ...(band === undefined ? {} : { band }),
        ...(spoofSuspected === undefined ? {} : { spoofSuspected }),
      };
    });
  }

  private async best(
    gallery: LastingGallery,
    { templates, threshold }: ConsentedTemplates,
    probe: QuantisedProbe,
  ): Promise<Candidate | undefined> {
    const { id: galleryId, clientId } = gallery;
    const places = templates.map(({ segmentId, slot }) => ({ segmentId, slot }));
    const opening = { clientId, galleryId, places, probe, threshold, limit: templates.length };
    const [best] = await this.matcher.matchTemplates(gallery, templates, probe, (scores) =>
      this.custodian.openScores({ about: 'subject', ...opening }, scores),
    );
    return best;
  }

  /** What was sealed under the consent that is valid now; what rests on an earlier one awaits its erasure. */
  private async consentedTemplates(
    gallery: LastingGallery,
    subjectId: SubjectId,
  ): Promise<ConsentedTemplates> {
    const { id, clientId, purpose } = gallery;
    try {
      const consentId = await this.gate.check(this.db.manager, clientId, subjectId, purpose);
      const templates = await this.db.query<(StoredRow & { readonly threshold: Score })[]>(
        `SELECT ${STORED_ROW}, g.threshold_score AS threshold
         FROM template t JOIN gallery g ON g.id = t.gallery_id
         WHERE t.gallery_id = $1 AND t.subject_id = $2 AND t.consent_id = $3`,
        [id, subjectId, consentId],
      );
      const [first] = templates;
      if (first === undefined) throw new SubjectNotEnrolled();
      const genuine = await this.bindings.genuine(gallery, templates);
      if (genuine.length < templates.length) throw new TemplateTampered();
      return { consentId, templates, threshold: first.threshold };
    } catch (error) {
      await this.galleries.require(clientId, id);
      throw error;
    }
  }
}
