import { AuditLog } from '#audit/audit-log';
import { ConsentGate } from '#consent/consent-gate';
import { KeyCustodian, type SealedTemplate } from '#custody/key-custodian';
import { asQuantisedTemplate } from '#homomorphic/quantised-vector';
import { type Created, Idempotency, type IdempotentRequest } from '#platform/idempotency';
import { type ClientId, type GalleryId, newId, type SubjectId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { KeyObject } from 'node:crypto';
import { DataSource, type EntityManager } from 'typeorm';
import { type BiometricSample, MOST_TEMPLATES } from './biometric-sample.js';
import { TooManyTemplates } from './biometrics.errors.js';
import { GalleryStore } from './internal/gallery-store.js';
import type { Gallery } from './internal/gallery.entity.js';
import { inLastingSegment } from './internal/moved-rows.js';
import { type EmbeddedSample, SampleEmbedder } from './internal/sample-embedder.js';
import { Template } from './internal/template.entity.js';
import { bindingOf } from './template-binding.js';
import { TemplateBindings } from './template-bindings.js';

export interface Enrolled extends Created<'template'> {
  readonly spoofSuspected?: boolean;
}

export class EnrolTemplate extends Command<Enrolled> {
  constructor(
    readonly clientId: ClientId,
    readonly galleryId: GalleryId,
    readonly subjectId: SubjectId,
    readonly sample: BiometricSample,
    readonly idempotency?: IdempotentRequest,
  ) {
    super();
  }
}

@CommandHandler(EnrolTemplate)
export class EnrolTemplateHandler implements ICommandHandler<EnrolTemplate> {
  constructor(
    private readonly db: DataSource,
    private readonly idempotency: Idempotency,
    private readonly galleries: GalleryStore,
    private readonly gate: ConsentGate,
    private readonly samples: SampleEmbedder,
    private readonly custodian: KeyCustodian,
    private readonly bindings: TemplateBindings,
    private readonly audit: AuditLog,
  ) {}

  async execute(command: EnrolTemplate): Promise<Enrolled> {
    const { clientId, galleryId, subjectId, sample, idempotency } = command;
    const known = await this.idempotency.find<'template'>(idempotency);
    if (known !== undefined) return known;
    const gallery = await this.galleries.require(clientId, galleryId);
    const key = await this.bindings.keyOf(gallery);
    const event = { type: 'template.enrolled', clientId, subjectId, galleryId } as const;
    return this.audit.recordingRefusals(event, async () => {
      // Before any work on the face, and again below in the transaction that keeps the template.
      await this.gate.check(this.db.manager, clientId, subjectId, gallery.purpose);
      const embedded = await this.samples.embedTemplate(gallery, sample);
      const created = await inLastingSegment(async () => {
        // A copy, which the custodian takes over: a second try has it still.
        const template = asQuantisedTemplate(embedded.vector.slice());
        const [sealed] = await this.custodian.seal(galleryId, [template]);
        if (sealed === undefined) throw new Error('the custodian sealed nothing');
        return this.idempotency.transaction(idempotency, (tx) =>
          this.keep(tx, gallery, key, subjectId, embedded, sealed),
        );
      }).finally(() => embedded.vector.fill(0));
      return embedded.spoofSuspected === undefined
        ? created
        : { ...created, spoofSuspected: embedded.spoofSuspected };
    });
  }

  private async keep(
    tx: EntityManager,
    gallery: Gallery,
    key: KeyObject | undefined,
    subjectId: SubjectId,
    { photos }: EmbeddedSample<unknown>,
    { segmentId, slot, row }: SealedTemplate,
  ): Promise<Created<'template'>> {
    const { clientId, id: galleryId } = gallery;
    const consentId = await this.gate.require(tx, clientId, subjectId, gallery.purpose);
    // The version's row lock also makes the count below exact.
    const version = await this.galleries.nextVersion(tx, galleryId);
    const enrolled = await tx.countBy(Template, { galleryId, subjectId });
    if (enrolled >= MOST_TEMPLATES) throw new TooManyTemplates();
    const id = newId<'template'>();
    const place = { galleryId, templateId: id, subjectId, consentId, segmentId, slot };
    await tx.insert(Template, {
      id,
      galleryId,
      subjectId,
      consentId,
      segmentId,
      slot,
      binding: key === undefined ? null : bindingOf(key, place, row),
      row: Buffer.from(row),
      photos,
      version,
    });
    const bound = key !== undefined;
    const details = { templateId: id, consentId, photos, model: gallery.model, bound };
    await this.audit.append(tx, {
      type: 'template.enrolled',
      outcome: 'ok',
      clientId,
      subjectId,
      galleryId,
      details,
    });
    return { id };
  }
}
