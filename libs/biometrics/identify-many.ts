import { type AuditEventInput, AuditLog } from '#audit/audit-log';
import { ConsentGate } from '#consent/consent-gate';
import { SubjectPresence } from '#consent/subject-presence';
import type { ClientId, GalleryId } from '#platform/ids';
import { timed } from '#platform/metrics';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource, type EntityManager } from 'typeorm';
import { type BatchLedger, type BatchOutcome, refusalOf } from './batch.js';
import type { BiometricSample } from './biometric-sample.js';
import { CandidateSearch, type NamedTemplate, shown } from './internal/candidate-search.js';
import { GalleryStore } from './internal/gallery-store.js';
import type { Gallery } from './internal/gallery.entity.js';
import { SampleEmbedder } from './internal/sample-embedder.js';

export interface IdentificationEntry {
  readonly n: number;
  readonly sample: BiometricSample;
}

/** Searches a gallery for many faces, in shared passes over its memory; each answer is recorded like a single one. */
export class IdentifyMany extends Command<void> {
  constructor(
    readonly clientId: ClientId,
    readonly galleryId: GalleryId,
    readonly entries: readonly IdentificationEntry[],
    readonly topK: number,
    readonly ledger: BatchLedger,
  ) {
    super();
  }
}

interface SearchedEntry {
  readonly n: number;
  readonly best: readonly NamedTemplate[];
  readonly spoofSuspected?: boolean;
}

@CommandHandler(IdentifyMany)
export class IdentifyManyHandler implements ICommandHandler<IdentifyMany> {
  constructor(
    private readonly db: DataSource,
    private readonly galleries: GalleryStore,
    private readonly gate: ConsentGate,
    private readonly presence: SubjectPresence,
    private readonly samples: SampleEmbedder,
    private readonly candidates: CandidateSearch,
    private readonly audit: AuditLog,
  ) {}

  async execute({ clientId, galleryId, entries, topK, ledger }: IdentifyMany): Promise<void> {
    const gallery = await this.galleries.require(clientId, galleryId);
    const refused: BatchOutcome[] = [];
    const searched: SearchedEntry[] = [];
    // All at once: the matcher takes those that wait together through the gallery's memory.
    await Promise.all(
      entries.map(async ({ n, sample }) => {
        try {
          const { vector, spoofSuspected } = await this.samples.embedProbe(gallery, sample);
          const best = await this.candidates.search(gallery, vector, topK);
          searched.push(spoofSuspected === undefined ? { n, best } : { n, best, spoofSuspected });
        } catch (error) {
          refused.push(refusalOf(n, error));
        }
      }),
    );
    const seen = searched.flatMap(({ best }) => best.map(({ subjectId }) => subjectId));
    await this.presence.note(seen);
    await timed('chunk_transaction', () =>
      this.db.transaction(async (tx) => {
        const held = await ledger.hold(
          tx,
          entries.map(({ n }) => n),
        );
        const outcomes = await this.decide(
          tx,
          gallery,
          searched.filter(({ n }) => held.has(n)),
        );
        const stillRefused = refused.filter(({ n }) => held.has(n));
        await this.recordRefusals(tx, gallery, stillRefused);
        await ledger.settle(tx, [...outcomes, ...stillRefused]);
      }),
    );
  }

  /** Drops whoever withdrew while the matches ran, and records the answers and each person that they name. */
  private async decide(
    tx: EntityManager,
    { clientId, id: galleryId }: Gallery,
    searched: readonly SearchedEntry[],
  ): Promise<BatchOutcome[]> {
    const consents = searched.flatMap(({ best }) => best.map(({ consentId }) => consentId));
    const valid = await this.gate.stillValid(tx, [...new Set(consents)]);
    const event = { type: 'gallery.identified', clientId, galleryId } as const;
    const answers = searched.map(({ best, ...answer }) => ({
      ...answer,
      named: best.filter(({ consentId }) => valid.has(consentId)),
    }));
    await this.audit.appendAll(
      tx,
      answers.flatMap(({ named }): AuditEventInput[] => {
        const details = { candidates: named.length };
        if (named.length === 0) return [{ ...event, outcome: 'no_match', details }];
        return named.map(({ subjectId }) => ({ ...event, outcome: 'match', subjectId, details }));
      }),
    );
    return answers.map(({ n, named, ...suspicion }) => ({
      n,
      outcome: 'done',
      result: { candidates: named.map(shown), ...suspicion },
    }));
  }

  private async recordRefusals(
    tx: EntityManager,
    { clientId, id: galleryId }: Gallery,
    refused: readonly BatchOutcome[],
  ): Promise<void> {
    await this.audit.appendAll(
      tx,
      refused.flatMap((each) =>
        each.outcome === 'refused'
          ? [
              {
                type: 'gallery.identified',
                outcome: 'refused',
                code: each.code,
                clientId,
                galleryId,
              } as const,
            ]
          : [],
      ),
    );
  }
}
