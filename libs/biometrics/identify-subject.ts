import { AuditLog } from '#audit/audit-log';
import { ConsentGate } from '#consent/consent-gate';
import { SubjectPresence } from '#consent/subject-presence';
import type { ClientId, GalleryId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import type { BiometricSample } from './biometric-sample.js';
import {
  CandidateSearch,
  type IdentifiedSubject,
  type NamedTemplate,
  shown,
} from './internal/candidate-search.js';
import { GalleryStore } from './internal/gallery-store.js';
import type { LastingGallery } from './internal/gallery.entity.js';
import { SampleEmbedder } from './internal/sample-embedder.js';

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
    private readonly presence: SubjectPresence,
    private readonly samples: SampleEmbedder,
    private readonly candidates: CandidateSearch,
    private readonly audit: AuditLog,
  ) {}

  async execute({ clientId, galleryId, sample, topK }: IdentifySubject): Promise<Identification> {
    const gallery = await this.galleries.recall(clientId, galleryId);
    const event = { type: 'gallery.identified', clientId, galleryId } as const;
    return this.audit.recordingRefusals(event, async () => {
      const { vector, spoofSuspected } = await this.samples.embedProbe(gallery, sample);
      const best = await this.candidates.search(gallery, vector, topK);
      await this.presence.note(best.map(({ subjectId }) => subjectId));
      const candidates = await this.decide(gallery, best);
      return spoofSuspected === undefined ? { candidates } : { candidates, spoofSuspected };
    });
  }

  /** Drops whoever withdrew while the match ran, and records the answer and each person that it names. */
  private decide(
    gallery: LastingGallery,
    best: readonly NamedTemplate[],
  ): Promise<readonly IdentifiedSubject[]> {
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
      return named.map(shown);
    });
  }
}
