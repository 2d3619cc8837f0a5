import { AuditLog } from '#audit/audit-log';
import { ConsentGate } from '#consent/consent-gate';
import { KeyCustodian, type SealedTemplate } from '#custody/key-custodian';
import { asQuantisedTemplate, type QuantisedTemplate } from '#homomorphic/quantised-vector';
import {
  type ClientId,
  type ConsentId,
  type GalleryId,
  newId,
  type SubjectId,
  type TemplateId,
} from '#platform/ids';
import { timed } from '#platform/metrics';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { KeyObject } from 'node:crypto';
import { DataSource, type EntityManager, In, LessThan } from 'typeorm';
import { type BatchLedger, type BatchOutcome, refusalOf } from './batch.js';
import { type BiometricSample, MOST_TEMPLATES } from './biometric-sample.js';
import { GalleryStore } from './internal/gallery-store.js';
import type { Gallery } from './internal/gallery.entity.js';
import { inLastingSegment } from './internal/moved-rows.js';
import { type EmbeddedSample, SampleEmbedder } from './internal/sample-embedder.js';
import { TemplateErasure } from './internal/template-erasure.js';
import { bindingOf } from './template-binding.js';
import { TemplateBindings } from './template-bindings.js';

export interface EnrolmentEntry {
  readonly n: number;
  readonly subjectId: SubjectId;
  /** Where given, the consent that the enrolment must rest on. */
  readonly consentId?: ConsentId;
  readonly sample: BiometricSample;
}

/** Enrols many in one transaction, each with its consent and its audit record; each entry is done or refused. */
export class EnrolMany extends Command<void> {
  constructor(
    readonly clientId: ClientId,
    readonly galleryId: GalleryId,
    readonly entries: readonly EnrolmentEntry[],
    readonly ledger: BatchLedger,
    readonly replaced?: ReplacedTemplates,
  ) {
    super();
  }
}

/** Older templates of the same subjects, in this gallery or another, which go when the new ones are kept. */
export interface ReplacedTemplates {
  readonly galleryId: GalleryId;
  readonly before: Date;
}

interface EmbeddedEntry extends EnrolmentEntry {
  readonly embedded: EmbeddedSample<QuantisedTemplate>;
}

interface SealedEntry extends EmbeddedEntry {
  readonly sealed: SealedTemplate;
}

@CommandHandler(EnrolMany)
export class EnrolManyHandler implements ICommandHandler<EnrolMany> {
  constructor(
    private readonly db: DataSource,
    private readonly galleries: GalleryStore,
    private readonly gate: ConsentGate,
    private readonly samples: SampleEmbedder,
    private readonly custodian: KeyCustodian,
    private readonly bindings: TemplateBindings,
    private readonly erasure: TemplateErasure,
    private readonly audit: AuditLog,
  ) {}

  async execute({ clientId, galleryId, entries, ledger, replaced }: EnrolMany): Promise<void> {
    const gallery = await this.galleries.require(clientId, galleryId);
    const key = await this.bindings.keyOf(gallery);
    const early = await this.withoutConsent(gallery, entries);
    const refused = [...early.values()];
    const embedded: EmbeddedEntry[] = [];
    const asked = entries.filter(({ n }) => !early.has(n));
    await Promise.all(
      asked.map(async (entry) => {
        try {
          embedded.push({ ...entry, embedded: await this.samples.embedTemplate(gallery, entry.sample) });
        } catch (error) {
          refused.push(refusalOf(entry.n, error));
        }
      }),
    );
    await inLastingSegment(async () => {
      const sealed = await this.seal(gallery, embedded);
      await this.keepAll(gallery, key, { entries, ledger, replaced }, refused, sealed);
    }).finally(() => {
      for (const entry of embedded) entry.embedded.vector.fill(0);
    });
  }

  private async seal({ id }: Gallery, embedded: readonly EmbeddedEntry[]): Promise<SealedEntry[]> {
    // Copies, which the custodian takes over: a second try has them still.
    const templates = embedded.map((entry) => asQuantisedTemplate(entry.embedded.vector.slice()));
    const rows = await this.custodian.seal(id, templates);
    return embedded.flatMap((entry, i): SealedEntry[] => {
      const row = rows[i];
      return row === undefined ? [] : [{ ...entry, sealed: row }];
    });
  }

  private async keepAll(
    gallery: Gallery,
    key: KeyObject | undefined,
    { entries, ledger, replaced }: Pick<EnrolMany, 'entries' | 'ledger' | 'replaced'>,
    refused: readonly BatchOutcome[],
    sealed: readonly SealedEntry[],
  ): Promise<void> {
    await timed('chunk_transaction', () =>
      this.db.transaction(async (tx) => {
        const held = await ledger.hold(
          tx,
          entries.map(({ n }) => n),
        );
        const stillRefused = refused.filter(({ n }) => held.has(n));
        const enrolled = await this.keep(
          tx,
          gallery,
          key,
          sealed.filter(({ n }) => held.has(n)),
          replaced,
        );
        await this.recordRefusals(tx, gallery, entries, [...stillRefused, ...enrolled]);
        await ledger.settle(tx, [...stillRefused, ...enrolled]);
      }),
    );
  }

  /** Those who are refused before anything is computed of their faces. */
  private async withoutConsent(
    gallery: Gallery,
    entries: readonly EnrolmentEntry[],
  ): Promise<ReadonlyMap<number, BatchOutcome>> {
    const valid = await this.gate.validConsents(
      this.db.manager,
      gallery.clientId,
      entries.map(({ subjectId }) => subjectId),
      gallery.purpose,
    );
    return new Map(
      entries.flatMap((entry) => {
        const refusal = refusedConsent(entry, valid);
        return refusal === undefined ? [] : [[entry.n, refusal] as const];
      }),
    );
  }

  private async keep(
    tx: EntityManager,
    gallery: Gallery,
    key: KeyObject | undefined,
    entries: readonly SealedEntry[],
    replaced: ReplacedTemplates | undefined,
  ): Promise<BatchOutcome[]> {
    if (entries.length === 0) return [];
    const subjects = entries.map(({ subjectId }) => subjectId);
    const valid = await this.gate.validConsents(tx, gallery.clientId, subjects, gallery.purpose);
    if (replaced !== undefined) await this.galleries.hold(tx, [gallery.id, replaced.galleryId]);
    // The version's row lock also makes the counts below exact.
    const version = await this.galleries.nextVersion(tx, gallery.id);
    const counts = await this.counts(tx, gallery.id, subjects, replaced);
    const outcomes: BatchOutcome[] = [];
    const kept: (SealedEntry & { consent: ConsentId; id: TemplateId })[] = [];
    for (const entry of entries) {
      const { n, subjectId } = entry;
      const refusal = refusedConsent(entry, valid);
      const consent = valid.get(subjectId);
      const count = counts.get(subjectId) ?? 0;
      if (refusal !== undefined || consent === undefined || consent === 'restricted') {
        outcomes.push(refusal ?? { n, outcome: 'refused', code: 'consent_required' });
      } else if (count >= MOST_TEMPLATES) {
        outcomes.push({ n, outcome: 'refused', code: 'too_many_templates' });
      } else {
        counts.set(subjectId, count + 1);
        const id = newId<'template'>();
        kept.push({ ...entry, consent, id });
        const { spoofSuspected } = entry.embedded;
        const suspicion = spoofSuspected === undefined ? {} : { spoofSuspected };
        outcomes.push({ n, outcome: 'done', result: { subjectId, templateId: id, ...suspicion } });
      }
    }
    if (replaced !== undefined) {
      const { galleryId, before } = replaced;
      const subjectId = In(kept.map((entry) => entry.subjectId));
      await this.erasure.erase(tx, { galleryId, subjectId, createdAt: LessThan(before) }, 'replaced');
    }
    await tx.query(
      `INSERT INTO template (id, gallery_id, subject_id, consent_id, segment_id, slot, "row", photos, version, binding)
       SELECT id, $1, subject_id, consent_id, segment_id, slot, made, photos, $2, binding
       FROM unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::int[], $8::bytea[], $9::int[], $10::bytea[])
         AS made (id, subject_id, consent_id, segment_id, slot, made, photos, binding)`,
      [
        gallery.id,
        version,
        kept.map(({ id }) => id),
        kept.map(({ subjectId }) => subjectId),
        kept.map(({ consent }) => consent),
        kept.map(({ sealed }) => sealed.segmentId),
        kept.map(({ sealed }) => sealed.slot),
        kept.map(({ sealed }) => Buffer.from(sealed.row)),
        kept.map(({ embedded }) => embedded.photos),
        kept.map(({ id, subjectId, consent, sealed: { segmentId, slot, row } }) => {
          const place = {
            galleryId: gallery.id,
            templateId: id,
            subjectId,
            consentId: consent,
            segmentId,
            slot,
          };
          return key === undefined ? null : bindingOf(key, place, row);
        }),
      ],
    );
    const { clientId, id: galleryId, model } = gallery;
    const bound = key !== undefined;
    await this.audit.appendAll(
      tx,
      kept.map(({ subjectId, consent, id, embedded }) => ({
        type: 'template.enrolled',
        outcome: 'ok',
        clientId,
        subjectId,
        galleryId,
        details: { templateId: id, consentId: consent, photos: embedded.photos, model, bound },
      })),
    );
    return outcomes;
  }

  /** How many templates each of them has, without those that go. */
  private async counts(
    tx: EntityManager,
    galleryId: GalleryId,
    subjectIds: readonly SubjectId[],
    replaced: ReplacedTemplates | undefined,
  ): Promise<Map<SubjectId, number>> {
    const rows = await tx.query<{ subject_id: SubjectId; n: number }[]>(
      `SELECT subject_id, count(*)::int AS n FROM template
       WHERE gallery_id = $1 AND subject_id = ANY($2) AND (gallery_id = $3 AND created_at < $4) IS NOT TRUE
       GROUP BY subject_id`,
      [galleryId, subjectIds, replaced?.galleryId ?? null, replaced?.before ?? null],
    );
    return new Map(rows.map(({ subject_id, n }) => [subject_id, n]));
  }

  private async recordRefusals(
    tx: EntityManager,
    { clientId, id: galleryId }: Gallery,
    entries: readonly EnrolmentEntry[],
    outcomes: readonly BatchOutcome[],
  ): Promise<void> {
    const subjects = new Map(entries.map(({ n, subjectId }) => [n, subjectId]));
    await this.audit.appendAll(
      tx,
      outcomes.flatMap((each) => {
        const subjectId = subjects.get(each.n);
        if (each.outcome !== 'refused' || subjectId === undefined) return [];
        const { code } = each;
        return [
          { type: 'template.enrolled', outcome: 'refused', code, clientId, subjectId, galleryId } as const,
        ];
      }),
    );
  }
}

function refusedConsent(
  { n, subjectId, consentId }: EnrolmentEntry,
  valid: ReadonlyMap<SubjectId, ConsentId | 'restricted' | undefined>,
): BatchOutcome | undefined {
  if (!valid.has(subjectId)) return { n, outcome: 'refused', code: 'subject_not_found' };
  const held = valid.get(subjectId);
  if (held === 'restricted') return { n, outcome: 'refused', code: 'processing_restricted' };
  if (held === undefined || (consentId !== undefined && consentId !== held)) {
    return { n, outcome: 'refused', code: 'consent_required' };
  }
  return undefined;
}
