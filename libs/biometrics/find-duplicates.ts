import { type AuditEventInput, AuditLog } from '#audit/audit-log';
import { ConsentGate } from '#consent/consent-gate';
import { KeyCustodian } from '#custody/key-custodian';
import { cosineToPairScore } from '#homomorphic/quantised-vector';
import type { ClientId, GalleryId, SegmentId, SubjectId, TemplateId } from '#platform/ids';
import { timed } from '#platform/metrics';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource, type EntityManager } from 'typeorm';
import type { BatchLedger } from './batch.js';
import type { IndexedTemplate } from './internal/gallery-index.js';
import { GalleryStore } from './internal/gallery-store.js';
import type { Gallery } from './internal/gallery.entity.js';
import { type LiveSegment, LiveSegments } from './internal/live-segment.js';
import { pairBand, type ScoreBand } from './score-band.js';

/** Two segments whose templates are compared with one another, or one whose own are. */
export interface DuplicationEntry {
  readonly n: number;
  readonly left: SegmentId;
  readonly right: SegmentId;
}

/** Two templates of different subjects that look like one person. */
export interface DuplicatePair {
  readonly left: { readonly subjectId: SubjectId; readonly templateId: TemplateId };
  readonly right: { readonly subjectId: SubjectId; readonly templateId: TemplateId };
  readonly band?: ScoreBand;
}

/**
 * Finds the pairs at or above the gallery's threshold, inside custody; each person that is named is recorded. Entries of
 * the same left segment SHOULD follow one another. Throws TooManyPairs.
 */
export class FindDuplicates extends Command<void> {
  constructor(
    readonly clientId: ClientId,
    readonly galleryId: GalleryId,
    readonly entries: readonly DuplicationEntry[],
    readonly ledger: BatchLedger,
  ) {
    super();
  }
}

interface FoundPair {
  readonly left: IndexedTemplate;
  readonly right: IndexedTemplate;
  readonly band: ScoreBand | undefined;
}

@CommandHandler(FindDuplicates)
export class FindDuplicatesHandler implements ICommandHandler<FindDuplicates> {
  constructor(
    private readonly db: DataSource,
    private readonly galleries: GalleryStore,
    private readonly gate: ConsentGate,
    private readonly segments: LiveSegments,
    private readonly custodian: KeyCustodian,
    private readonly audit: AuditLog,
  ) {}

  async execute({ clientId, galleryId, entries, ledger }: FindDuplicates): Promise<void> {
    const gallery = await this.galleries.require(clientId, galleryId);
    let left: LiveSegment | undefined;
    for (const entry of entries) {
      if (left?.segmentId !== entry.left) left = await this.segments.read(gallery, entry.left);
      const right = entry.right === entry.left ? left : await this.segments.read(gallery, entry.right);
      const found = await this.compare(gallery, left, right);
      await timed('chunk_transaction', () =>
        this.db.transaction((tx) => this.keep(tx, gallery, entry.n, found, ledger)),
      );
    }
  }

  private async compare(gallery: Gallery, left: LiveSegment, right: LiveSegment): Promise<FoundPair[]> {
    if (left.slots.length === 0 || right.slots.length === 0) return [];
    const labels = new Map<SubjectId, number>();
    const label = ({ subjectId }: IndexedTemplate): number => {
      const known = labels.get(subjectId) ?? labels.size;
      labels.set(subjectId, known);
      return known;
    };
    const labelled = (segment: LiveSegment) => ({
      segmentId: segment.segmentId,
      slots: segment.slots,
      rows: segment.rows,
      labels: Uint32Array.from(segment.templates, label),
    });
    const pairs = await this.custodian.comparePairs({
      galleryId: gallery.id,
      left: labelled(left),
      right: right === left ? undefined : labelled(right),
      threshold: cosineToPairScore(gallery.thresholdCosine),
    });
    return pairs.flatMap((pair) => {
      const [a, b] = [left.templates[pair.left], right.templates[pair.right]];
      if (a === undefined || b === undefined) return [];
      return [{ left: a, right: b, band: pairBand(gallery, pair.score) }];
    });
  }

  private async keep(
    tx: EntityManager,
    gallery: Gallery,
    n: number,
    found: readonly FoundPair[],
    ledger: BatchLedger,
  ): Promise<void> {
    if (!(await ledger.hold(tx, [n])).has(n)) return;
    const pairs = await this.decide(tx, gallery, found);
    await ledger.settle(tx, [{ n, outcome: 'done', result: { pairs } }]);
  }

  /** Drops the pairs of whoever withdrew meanwhile, and records each person that the others name. */
  private async decide(
    tx: EntityManager,
    { clientId, id: galleryId }: Gallery,
    found: readonly FoundPair[],
  ): Promise<DuplicatePair[]> {
    const consents = found.flatMap(({ left, right }) => [left.consentId, right.consentId]);
    const valid = await this.gate.stillValid(tx, [...new Set(consents)]);
    const named = found.filter(({ left, right }) => valid.has(left.consentId) && valid.has(right.consentId));
    const subjects = new Set(named.flatMap(({ left, right }) => [left.subjectId, right.subjectId]));
    const details = { pairs: named.length };
    const event = { type: 'gallery.deduplicated', clientId, galleryId, details } as const;
    const events = [...subjects].map((subjectId): AuditEventInput => ({
      ...event,
      outcome: 'match',
      subjectId,
    }));
    await this.audit.appendAll(tx, events.length > 0 ? events : [{ ...event, outcome: 'no_match' }]);
    return named.map(({ left, right, band }) => ({
      left: { subjectId: left.subjectId, templateId: left.templateId },
      right: { subjectId: right.subjectId, templateId: right.templateId },
      ...(band === undefined ? {} : { band }),
    }));
  }
}
