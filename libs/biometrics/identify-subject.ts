import { AuditLog } from '#audit/audit-log';
import { ConsentGate } from '#consent/consent-gate';
import { type Candidate, KeyCustodian } from '#custody/key-custodian';
import type { ClientId, ConsentId, GalleryId, SubjectId, TemplateId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { type BiometricSample, MOST_TEMPLATES } from './biometric-sample.js';
import { GalleryStore } from './internal/gallery-store.js';
import type { Gallery } from './internal/gallery.entity.js';
import { SampleEmbedder } from './internal/sample-embedder.js';
import { type MatchedGallery, Matcher } from './matcher.js';
import { type ScoreBand, scoreBand } from './score-band.js';

export interface IdentifiedSubject {
  readonly subjectId: SubjectId;
  readonly templateId: TemplateId;
  readonly band?: ScoreBand;
}

interface NamedTemplate extends IdentifiedSubject {
  readonly consentId: ConsentId;
}

export interface Identification {
  /** Best first; each subject once, with its best template. */
  readonly candidates: readonly IdentifiedSubject[];
  readonly spoofSuspected?: boolean;
}

/** 1:N: whose face is this? Answers at most `topK` subjects above the gallery's threshold. */
export class IdentifySubject extends Command<Identification> {
  constructor(
    readonly clientId: ClientId,
    readonly galleryId: GalleryId,
    readonly sample: BiometricSample,
    readonly topK: number,
  ) {
    super();
  }
}

@CommandHandler(IdentifySubject)
export class IdentifySubjectHandler implements ICommandHandler<IdentifySubject> {
  constructor(
    private readonly db: DataSource,
    private readonly galleries: GalleryStore,
    private readonly gate: ConsentGate,
    private readonly samples: SampleEmbedder,
    private readonly matcher: Matcher,
    private readonly custodian: KeyCustodian,
    private readonly audit: AuditLog,
  ) {}

  async execute({ clientId, galleryId, sample, topK }: IdentifySubject): Promise<Identification> {
    const gallery = await this.galleries.recall(clientId, galleryId);
    const event = { type: 'gallery.identified', clientId, galleryId } as const;
    return this.audit.recordingRefusals(event, async () => {
      const { vector, spoofSuspected } = await this.samples.embedProbe(gallery, sample);
      const matched = await this.matcher.matchGallery(gallery, vector);
      vector.fill(0);
      const opened = await this.custodian.openScores({
        galleryId,
        ...matched.scores,
        threshold: gallery.thresholdScore,
        limit: topK * MOST_TEMPLATES,
      });
      const best = bestOfEach(gallery, matched, opened).slice(0, topK);
      const candidates = await this.decide(gallery, best);
      return spoofSuspected === undefined ? { candidates } : { candidates, spoofSuspected };
    });
  }

  /** Drops whoever withdrew while the match ran, and records the answer and each person that it names. */
  private decide(gallery: Gallery, best: readonly NamedTemplate[]): Promise<readonly IdentifiedSubject[]> {
    const { clientId, id: galleryId } = gallery;
    return this.db.transaction(async (tx) => {
      const consents = best.map(({ consentId }) => consentId);
      const valid = await this.gate.stillValid(tx, consents);
      const named = best.filter(({ consentId }) => valid.has(consentId));
      const event = { type: 'gallery.identified', clientId, galleryId } as const;
      const details = { candidates: named.length };
      if (named.length === 0) await this.audit.append(tx, { ...event, outcome: 'no_match', details });
      for (const { subjectId } of named) {
        await this.audit.append(tx, { ...event, outcome: 'match', subjectId, details });
      }
      return named.map(({ subjectId, templateId, band }) => ({
        subjectId,
        templateId,
        ...(band === undefined ? {} : { band }),
      }));
    });
  }
}

function bestOfEach(
  gallery: Gallery,
  { find }: MatchedGallery,
  opened: readonly Candidate[],
): readonly NamedTemplate[] {
  const best = new Map<SubjectId, NamedTemplate>();
  for (const { segmentId, slot, score } of opened) {
    const template = find(segmentId, slot);
    if (template === undefined || best.has(template.subjectId)) continue;
    const band = scoreBand(gallery, score);
    best.set(template.subjectId, { ...template, ...(band === undefined ? {} : { band }) });
  }
  return [...best.values()];
}
