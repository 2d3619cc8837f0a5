import { ConsentGate } from '#consent/consent-gate';
import { type GalleryScores, KeyCustodian } from '#custody/key-custodian';
import type { QuantisedProbe, Score } from '#homomorphic/quantised-vector';
import { asRow } from '#homomorphic/sealed-row';
import type { Config } from '#platform/config';
import type { GalleryId, SegmentId } from '#platform/ids';
import { CONFIG } from '#platform/platform.module';
import { observeStage, timed } from '#platform/metrics';
import { DependencyUnavailable } from '#platform/platform.errors';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { GalleryLoading } from './biometrics.errors.js';
import type { IndexedTemplate } from './internal/gallery-index.js';
import { GalleryLoader } from './internal/gallery-loader.js';
import { GalleryMemory, type HeldSizes } from './internal/gallery-memory.js';
import type { LastingGallery } from './internal/gallery.entity.js';
import type { HeldGallery } from './internal/held-gallery.js';
import { MatchThreads } from './internal/match-threads.js';
import { asMatchingFailed, MatchingFailed, ScoresStream } from './internal/scores-stream.js';
import { SharedPass, spread } from './internal/shared-pass.js';
import { type StoredRow, TemplateBindings } from './template-bindings.js';

export interface MatchedGallery {
  readonly scores: GalleryScores;
  /** The gallery's threshold now. */
  readonly threshold: Score;
  readonly find: (segmentId: SegmentId, slot: number) => IndexedTemplate | undefined;
}

/**
 * Encrypted scores from sealed rows. It sees rows, masks and the probe of the moment: never a template, never a key.
 * Before each search it reads what changed since the version that it holds, so a face enrolled or erased through
 * one replica counts at once on all.
 */
@Injectable()
export class Matcher implements OnApplicationShutdown {
  private readonly threads: MatchThreads;
  private readonly memory: GalleryMemory;
  private readonly loader: GalleryLoader;
  private readonly passes = new WeakMap<HeldGallery, SharedPass>();
  private readonly longestWaitMs: number;

  constructor(
    db: DataSource,
    custodian: KeyCustodian,
    gate: ConsentGate,
    bindings: TemplateBindings,
    @Inject(CONFIG) config: Config,
  ) {
    this.threads = new MatchThreads(config.matchWorkers);
    this.memory = new GalleryMemory(this.threads, config.matchMemoryBytes);
    const { databaseUrl } = config;
    this.loader = new GalleryLoader(db, gate, custodian, this.threads, this.memory, bindings, databaseUrl);
    this.longestWaitMs = config.galleryLoadSeconds * 1_000;
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all([this.threads.close(), this.loader.close()]);
  }

  /** 1:1: has the scores of one subject's rows opened, which the caller has just read, while they are made. */
  async matchTemplates<R>(
    gallery: LastingGallery,
    templates: readonly Pick<StoredRow, 'segmentId' | 'slot' | 'row'>[],
    probe: QuantisedProbe,
    open: (scores: GalleryScores) => Promise<R>,
  ): Promise<R> {
    return this.recovering(gallery, async (held) => {
      await matching(this.withinBound(this.loader.masks(held)));
      const scores = new ScoresStream(templates.length);
      timed('match_subject', () => this.matchInto(scores, held, templates, probe)).then(
        () => scores.end(),
        (error: unknown) => scores.fail(error),
      );
      return open(scores);
    });
  }

  /** 1:N: has the scores of every row whose consent is valid now opened, while they are made. */
  async matchGallery<R>(
    gallery: LastingGallery,
    probe: QuantisedProbe,
    open: (matched: MatchedGallery) => Promise<R>,
  ): Promise<R> {
    return this.recovering(gallery, async (held) => {
      const started = performance.now();
      const refreshed = held.refreshing.then(() => held.using(() => this.loader.refresh(held)));
      held.refreshing = refreshed.catch(() => undefined);
      const now = await matching(this.withinBound(refreshed));
      const { threshold } = held;
      if (threshold === undefined) throw new Error('the threshold was not read');
      const scores = this.passOf(held).search(probe, now);
      const observe = (): void => observeStage('match_gallery', (performance.now() - started) / 1_000);
      scores.matched.then(observe, observe);
      await scores.begun;
      return open({ scores, threshold, find: (segmentId, slot) => held.index.find(segmentId, slot) });
    });
  }

  get held(): HeldSizes {
    return this.memory.sizes;
  }

  forget(galleryId: GalleryId): void {
    this.memory.forget(galleryId);
  }

  private passOf(held: HeldGallery): SharedPass {
    const pass = this.passes.get(held) ?? new SharedPass(held, this.threads, this.loader);
    this.passes.set(held, pass);
    return pass;
  }

  /** Whoever waits longer is told to come again; what it waited for goes on. */
  private async withinBound<R>(loading: Promise<R>): Promise<R> {
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new GalleryLoading()), this.longestWaitMs);
    });
    try {
      return await Promise.race([loading, tooLong]);
    } finally {
      clearTimeout(timer);
    }
  }

  private async matchInto(
    scores: ScoresStream,
    held: HeldGallery,
    templates: readonly Pick<StoredRow, 'segmentId' | 'slot' | 'row'>[],
    probe: QuantisedProbe,
  ): Promise<void> {
    const rows = templates.map(({ row }) => asRow(row, held.words));
    const { c1, products } = await this.threads.verify(held.id, held.words, rows, probe);
    for (const [segmentId, share] of Map.groupBy(templates.entries(), ([, each]) => each.segmentId)) {
      const slots = Uint16Array.from(share, ([, { slot }]) => slot);
      const own = Uint32Array.from(share, ([n]) => products[n] ?? 0);
      scores.segmentMatched({ segmentId, slots, c0: spread(own, slots) });
    }
    scores.masksMatched(c1);
  }

  /** A thread died, or a gallery was forgotten under a request: all is loaded anew and tried once more. */
  private async recovering<R>(gallery: LastingGallery, match: (held: HeldGallery) => Promise<R>): Promise<R> {
    for (let tries = 1; ; tries++) {
      const held = this.memory.get(gallery);
      try {
        return await held.using(() => match(held));
      } catch (error) {
        if (!(error instanceof MatchingFailed)) throw error;
        this.memory.clear();
        if (tries === 2) throw DependencyUnavailable.of('matching', error.cause);
      }
    }
  }
}

/** Of what is not the opening of its scores. */
async function matching<R>(work: Promise<R>): Promise<R> {
  try {
    return await work;
  } catch (error) {
    throw asMatchingFailed(error);
  }
}
