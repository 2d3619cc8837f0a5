import { ConsentGate } from '#consent/consent-gate';
import { KeyCustodian, type SegmentScores } from '#custody/key-custodian';
import { paddedDimension } from '#homomorphic/parameters';
import type { QuantisedProbe } from '#homomorphic/quantised-vector';
import { asRow } from '#homomorphic/sealed-row';
import type { Config } from '#platform/config';
import type { ConsentId, GalleryId, SegmentId, SubjectId, TemplateId } from '#platform/ids';
import { CONFIG } from '#platform/platform.module';
import { DependencyUnavailable } from '#platform/platform.errors';
import { ThreadFailed } from '#platform/thread';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { GalleryNotFound } from './biometrics.errors.js';
import { GalleryIndex, type IndexedTemplate } from './internal/gallery-index.js';
import type { Gallery } from './internal/gallery.entity.js';
import { type PlacedRow, SegmentThreads } from './internal/segment-threads.js';
import { SharedPass } from './internal/shared-pass.js';
import type { Template } from './internal/template.entity.js';

const ROWS_AT_ONCE = 2_000;

interface HeldGallery {
  readonly index: GalleryIndex;
  readonly words: number;
  readonly segments: Set<SegmentId>;
  readonly pass: SharedPass;
  /** Refreshes wait for one another. */
  refreshing: Promise<unknown>;
  /** Under way; while there are any the gallery stays in memory. */
  searches: number;
}

interface TemplateRow {
  readonly id: TemplateId;
  readonly subject_id: SubjectId;
  readonly consent_id: ConsentId;
  readonly segment_id: SegmentId;
  readonly slot: number;
  readonly row: Buffer;
  readonly version: string;
}

export interface GalleryScores {
  readonly segments: readonly SegmentScores[];
  readonly find: (segmentId: SegmentId, slot: number) => IndexedTemplate | undefined;
}

/**
 * Encrypted scores from sealed rows. It sees rows, masks and the probe of the moment: never a template, never a key.
 * Before each search it reads what changed since the version that it holds, so a face enrolled or erased through
 * one replica counts at once on all.
 */
@Injectable()
export class Matcher implements OnApplicationShutdown {
  private readonly threads: SegmentThreads;
  private readonly budget: number;
  /** In the order of their last use. */
  private readonly held = new Map<GalleryId, HeldGallery>();

  constructor(
    private readonly db: DataSource,
    private readonly custodian: KeyCustodian,
    private readonly gate: ConsentGate,
    @Inject(CONFIG) config: Config,
  ) {
    this.threads = new SegmentThreads(config.matchWorkers);
    this.budget = config.matchMemoryBytes;
  }

  async onApplicationShutdown(): Promise<void> {
    await this.threads.close();
  }

  /** 1:1: the scores of one subject's rows, which the caller has just read. */
  async matchTemplates(
    gallery: Gallery,
    templates: readonly Pick<Template, 'segmentId' | 'slot' | 'row'>[],
    probe: QuantisedProbe,
  ): Promise<readonly SegmentScores[]> {
    return this.recovering(async () => {
      const held = this.hold(gallery);
      const bySegment = Map.groupBy(templates, ({ segmentId }) => segmentId);
      return Promise.all(
        [...bySegment].map(async ([segmentId, share]) => {
          await this.ensure(gallery.id, held, segmentId);
          const rows = share.map(({ slot, row }) => ({ slot, row: asRow(row, held.words) }));
          const scores = await this.threads.matchRows(segmentId, rows, probe);
          return { segmentId, slots: Uint16Array.from(share, ({ slot }) => slot), scores };
        }),
      );
    });
  }

  /** 1:N: the scores of every row whose consent is valid now. */
  async matchGallery(gallery: Gallery, probe: QuantisedProbe): Promise<GalleryScores> {
    return this.recovering(async () => {
      const held = this.hold(gallery);
      held.searches++;
      try {
        const refreshed = held.refreshing.then(() => this.refresh(gallery, held));
        held.refreshing = refreshed.catch(() => undefined);
        const segments = await held.pass.search(probe, await refreshed);
        return { segments, find: (segmentId, slot) => held.index.find(segmentId, slot) };
      } finally {
        held.searches--;
      }
    });
  }

  forget(galleryId: GalleryId): void {
    const held = this.held.get(galleryId);
    this.held.delete(galleryId);
    if (held !== undefined) this.threads.drop([...held.segments]);
  }

  private hold(gallery: Gallery): HeldGallery {
    const known = this.held.get(gallery.id);
    this.held.delete(gallery.id);
    const held = known ?? this.empty(gallery);
    this.held.set(gallery.id, held);
    return held;
  }

  private empty(gallery: Gallery): HeldGallery {
    const index = new GalleryIndex();
    return {
      index,
      pass: new SharedPass(this.threads, index),
      words: paddedDimension(gallery.dimension),
      segments: new Set<SegmentId>(),
      refreshing: Promise.resolve(),
      searches: 0,
    };
  }

  /** Reads what changed and applies it; answers the database's time, by which consents are judged. */
  private async refresh(gallery: Gallery, held: HeldGallery): Promise<Date> {
    const { index } = held;
    const [head] = await this.db.query<{ version: string }[]>('SELECT version FROM gallery WHERE id = $1', [
      gallery.id,
    ]);
    if (head === undefined) throw new GalleryNotFound();
    const version = BigInt(head.version);
    if (version !== index.version) await this.readTemplates(gallery.id, held, version);
    const consents = await this.gate.changesSince(
      this.db.manager,
      gallery.clientId,
      gallery.purpose,
      index.consentVersion,
    );
    for (const change of consents.changes) index.applyConsent(change);
    index.consentVersion = consents.version;
    this.evict(gallery.id);
    return consents.now;
  }

  /**
   * Templates added and removed after the held version, up to `version`. A slot is used once only, so additions may
   * be applied before removals whatever their order was.
   */
  private async readTemplates(galleryId: GalleryId, held: HeldGallery, version: bigint): Promise<void> {
    const { index } = held;
    for (let after = index.version; ;) {
      const rows = await this.db.query<TemplateRow[]>(
        `SELECT id, subject_id, consent_id, segment_id, slot, "row", version FROM template
         WHERE gallery_id = $1 AND version > $2 AND version <= $3 ORDER BY version LIMIT $4`,
        [galleryId, after.toString(), version.toString(), ROWS_AT_ONCE],
      );
      for (const [segmentId, share] of Map.groupBy(rows, (row) => row.segment_id)) {
        await this.ensure(galleryId, held, segmentId);
        const placed: PlacedRow[] = share.map(({ slot, row }) => ({ slot, row: asRow(row, held.words) }));
        await this.threads.setRows(segmentId, placed);
        for (const { id, subject_id, consent_id, slot } of share) {
          index.add(segmentId, slot, { templateId: id, subjectId: subject_id, consentId: consent_id });
        }
      }
      const last = rows.at(-1);
      if (last === undefined || rows.length < ROWS_AT_ONCE) break;
      after = BigInt(last.version);
    }
    const removals = await this.db.query<{ segment_id: SegmentId; slot: number }[]>(
      'SELECT segment_id, slot FROM template_removal WHERE gallery_id = $1 AND version > $2 AND version <= $3',
      [galleryId, index.version.toString(), version.toString()],
    );
    for (const { segment_id: segmentId, slot } of removals) {
      if (index.remove(segmentId, slot)) await this.threads.clearRow(segmentId, slot);
    }
    index.version = version;
  }

  private async ensure(galleryId: GalleryId, held: HeldGallery, segmentId: SegmentId): Promise<void> {
    await this.threads.ensure(segmentId, held.words, () => this.custodian.masks(galleryId, segmentId));
    held.segments.add(segmentId);
  }

  /** Drops the galleries used least recently until the others fit; the one in use stays, whatever its size. */
  private evict(inUse: GalleryId): void {
    let total = [...this.held.values()].reduce((sum, held) => sum + bytesOf(held), 0);
    for (const [galleryId, held] of this.held) {
      if (total <= this.budget) return;
      if (galleryId === inUse || held.searches > 0) continue;
      total -= bytesOf(held);
      this.forget(galleryId);
    }
  }

  /** A thread died, or a segment was evicted under a request: all is loaded anew and tried once more. */
  private async recovering<R>(match: () => Promise<R>): Promise<R> {
    for (let tries = 1; ; tries++) {
      try {
        return await match();
      } catch (error) {
        if (!(error instanceof ThreadFailed)) throw error;
        this.held.clear();
        this.threads.dropAll();
        if (tries === 2) throw new DependencyUnavailable();
      }
    }
  }
}

function bytesOf({ segments, words }: HeldGallery): number {
  return segments.size * SegmentThreads.bytes(words);
}
