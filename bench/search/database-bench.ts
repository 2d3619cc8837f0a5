import { AuditLog } from '#audit/audit-log';
import { TemplateBindings } from '#biometrics/template-bindings';
import { Matcher } from '#biometrics/matcher';
import { ConsentGate } from '#consent/consent-gate';
import { CustodyDatabase } from '#custody/custody-database';
import type { KeyCustodian } from '#custody/key-custodian';
import { LocalKeyCustodian } from '#custody/local-key-custodian';
import { WrappingKeys } from '#custody/wrapping-keys';
import { SealedValues } from '#platform/sealed-values';
import { quantiseProbe } from '#homomorphic/quantised-vector';
import { type Config, loadConfig } from '#platform/config';
import { dataSourceOptions } from '#platform/data-source';
import { asId } from '#platform/ids';
import { resolve } from 'node:path';
import { DataSource } from 'typeorm';
import { prepareApps, startInstallation } from '../../infra/dev/installation.js';
import { asOwner } from '../../infra/dev/database.js';
import { nearFace, randomFace } from '../faces-in-space.js';
import { median, quantile } from '../load.js';
import { NO_LIMITS } from '../no-limits.js';
import { collected } from './collected.js';
import { type Gallery, StoredGalleries } from './stored-galleries.js';

const REPEATS = 15;
const SMALL_GALLERIES = 1_000;
const FACES_IN_SMALL = 10;
const VERIFICATIONS = 300;
const SEARCHES_AT_ONCE = 8;

export interface StoredFigures {
  readonly dimension: number;
  readonly size: number;
  readonly sealMicroseconds: number;
  readonly loadMs: number;
  readonly searchMs: number;
  /** With a tenth of the memory that the gallery takes: read from the database for each search. */
  readonly streamedMs: number;
  readonly right: boolean;
}

export interface SmallGalleryFigures {
  readonly galleries: number;
  readonly faces: number;
  readonly dimension: number;
  readonly bytesEach: number;
  readonly firstSearchMs: number;
  readonly nextSearchMs: number;
}

export interface FairnessFigures {
  readonly size: number;
  readonly idleMs: number;
  readonly idleP99Ms: number;
  readonly busyMs: number;
  readonly busyP99Ms: number;
}

export interface DatabaseFigures {
  readonly stored: readonly StoredFigures[];
  readonly small: SmallGalleryFigures;
  readonly fairness: FairnessFigures | undefined;
}

/** The engine with custody, matcher and a real PostgreSQL, without HTTP. */
export async function measureDatabase(sizes: readonly number[]): Promise<DatabaseFigures> {
  const installation = await startInstallation(resolve('.velum/bench'));
  const database = `velum_search_${Date.now()}`;
  const stops = [(): Promise<unknown> => installation.stop()];
  try {
    const { urls, env } = await prepareApps(installation, database);
    stops.push(() =>
      asOwner(new URL('/postgres', installation.server).toString(), (client) =>
        client.query(`DROP DATABASE ${database} WITH (FORCE)`),
      ),
    );
    const config = loadConfig({ ...env, ...NO_LIMITS });
    const db = await new DataSource(dataSourceOptions(config.databaseUrl, 'velum-bench')).initialize();
    stops.push(() => db.destroy());
    const custody = await CustodyDatabase.connect(config);
    stops.push(() => custody.destroy());
    const keyring = config.secrets.dbEncryptionKeys;
    const values = new SealedValues(keyring);
    const custodian = new LocalKeyCustodian(custody, config, await WrappingKeys.load(config));
    const bindings = new TemplateBindings(db, new AuditLog(db), keyring, values);
    await custodian.ready();
    stops.push(() => custodian.onApplicationShutdown());
    const galleries = new StoredGalleries(urls.owner, custodian, bindings);
    stops.push(() => galleries.close());
    await galleries.prepare();
    return await new DatabaseBench(db, custodian, bindings, config, galleries).measure(sizes);
  } finally {
    for (const stop of stops.toReversed()) await stop();
  }
}

class DatabaseBench {
  constructor(
    private readonly db: DataSource,
    private readonly custodian: KeyCustodian,
    private readonly bindings: TemplateBindings,
    private readonly config: Config,
    private readonly galleries: StoredGalleries,
  ) {}

  async measure(sizes: readonly number[]): Promise<DatabaseFigures> {
    const small = await this.smallGalleries();
    const stored: StoredFigures[] = [];
    let fairness: FairnessFigures | undefined;
    for (const dimension of [128, 512]) {
      for (const size of sizes) {
        const gallery = await this.galleries.create(dimension);
        const { sealMs } = await this.galleries.fill(gallery, size);
        stored.push({
          ...(await this.loadAndSearch(gallery, size)),
          sealMicroseconds: (sealMs * 1000) / size,
        });
        if (dimension === 512 && size === sizes.at(-1)) fairness = await this.fairness(gallery, size);
        console.log(`d = ${dimension}, N = ${size.toLocaleString('en')} stored, loaded and searched`);
      }
    }
    return { stored, small, fairness };
  }

  private async loadAndSearch(
    gallery: Gallery,
    size: number,
  ): Promise<Omit<StoredFigures, 'sealMicroseconds'>> {
    const { dimension } = gallery;
    let right = true;
    const search = async (matcher: Matcher, nth: number): Promise<number> => {
      const { ms, found } = await this.search(matcher, gallery, (nth * 7_919) % size);
      right &&= found;
      return ms;
    };
    const loadMs = await this.withMatcher({}, async (matcher) => {
      const first = await search(matcher, 0);
      const searches: number[] = [];
      for (let i = 1; i <= REPEATS; i++) searches.push(await search(matcher, i));
      return { first, searchMs: median(searches) };
    });
    const tenth = Math.floor((size * dimension * 4) / 10);
    const streamedMs = await this.withMatcher({ matchMemoryBytes: tenth }, async (matcher) => {
      await search(matcher, 1);
      const searches: number[] = [];
      for (let i = 2; i <= 4; i++) searches.push(await search(matcher, i));
      return median(searches);
    });
    return { dimension, size, loadMs: loadMs.first, searchMs: loadMs.searchMs, streamedMs, right };
  }

  private async smallGalleries(): Promise<SmallGalleryFigures> {
    const dimension = 512;
    const before = await this.galleries.bytes();
    const made: Gallery[] = [];
    for (let i = 0; i < SMALL_GALLERIES; i++) {
      const gallery = await this.galleries.create(dimension);
      await this.galleries.fill(gallery, FACES_IN_SMALL);
      made.push(gallery);
    }
    const bytesEach = ((await this.galleries.bytes()) - before) / SMALL_GALLERIES;
    console.log(`${SMALL_GALLERIES} galleries of ${FACES_IN_SMALL} stored`);
    return this.withMatcher({}, async (matcher) => {
      const firsts: number[] = [];
      const nexts: number[] = [];
      for (const gallery of made) {
        firsts.push((await this.search(matcher, gallery, 3)).ms);
        nexts.push((await this.search(matcher, gallery, 4)).ms);
      }
      return {
        galleries: SMALL_GALLERIES,
        faces: FACES_IN_SMALL,
        dimension,
        bytesEach,
        firstSearchMs: median(firsts),
        nextSearchMs: median(nexts),
      };
    });
  }

  /** Verifications alone, and while searches of the same gallery never pause. */
  private async fairness(gallery: Gallery, size: number): Promise<FairnessFigures> {
    const { segmentId, slot, row } = await this.galleries.rowOf(gallery, 0);
    const template = { segmentId: asId<'segment'>(segmentId), slot, row };
    const probe = quantiseProbe(randomFace(1, gallery.dimension));
    return this.withMatcher({}, async (matcher) => {
      await matcher.matchGallery(gallery, probe, ({ scores }) => collected(scores));
      const verifications = async (): Promise<number[]> => {
        const times: number[] = [];
        for (let i = 0; i < VERIFICATIONS; i++) {
          const started = performance.now();
          await matcher.matchTemplates(gallery, [template], probe, collected);
          times.push(performance.now() - started);
        }
        return times;
      };
      await verifications();
      const idle = await verifications();
      const end = new AbortController();
      const searches = Array.from({ length: SEARCHES_AT_ONCE }, async () => {
        while (!end.signal.aborted)
          await matcher.matchGallery(gallery, probe, ({ scores }) => collected(scores));
      });
      const busy = await verifications();
      end.abort();
      await Promise.all(searches);
      return {
        size,
        idleMs: median(idle),
        idleP99Ms: quantile(idle, 0.99),
        busyMs: median(busy),
        busyP99Ms: quantile(busy, 0.99),
      };
    });
  }

  private async search(
    matcher: Matcher,
    gallery: Gallery,
    target: number,
  ): Promise<{ ms: number; found: boolean }> {
    const probe = quantiseProbe(nearFace(randomFace(target, gallery.dimension), 1_000_000 + target));
    const started = performance.now();
    const { id: galleryId, clientId } = gallery;
    const asked = { about: 'gallery', places: [], clientId, galleryId, probe, limit: 10 } as const;
    const opened = await matcher.matchGallery(gallery, probe, ({ scores, threshold }) =>
      this.custodian.openScores({ ...asked, threshold }, scores),
    );
    const ms = performance.now() - started;
    // Faces were sealed in their order, and so were the slots given.
    return { ms, found: opened.length === 1 && opened[0]?.slot === target % 2_048 };
  }

  private async withMatcher<R>(
    settings: Partial<Config>,
    work: (matcher: Matcher) => Promise<R>,
  ): Promise<R> {
    const config = { ...this.config, galleryLoadSeconds: 600, ...settings };
    const matcher = new Matcher(this.db, this.custodian, new ConsentGate(), this.bindings, config);
    try {
      return await work(matcher);
    } finally {
      await matcher.onApplicationShutdown();
    }
  }
}
