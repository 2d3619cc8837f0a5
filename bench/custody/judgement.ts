import type { Matcher } from '#biometrics/matcher';
import type { CustodyDatabase } from '#custody/custody-database';
import type { Candidate, OpeningRequest } from '#custody/key-custodian';
import { OpeningsLimited } from '#custody/custody.errors';
import { LocalKeyCustodian } from '#custody/local-key-custodian';
import type { WrappingKeys } from '#custody/wrapping-keys';
import { RingKernel } from '#homomorphic/kernel/ring-kernel';
import { MaskCheck } from '#homomorphic/mask-check';
import { paddedDimension } from '#homomorphic/parameters';
import { quantiseProbe } from '#homomorphic/quantised-vector';
import type { Config } from '#platform/config';
import { asId } from '#platform/ids';
import { nearFace, randomFace } from '../faces-in-space.js';
import { median, quantile } from '../load.js';
import { inOnePart } from '../../test/harness/matching.js';
import { type Collected, collected } from '../search/collected.js';
import type { Gallery, StoredGalleries } from '../search/stored-galleries.js';
import { Statements } from './statements.js';

const OPENINGS = 400;
const FEW = 100;
const CHECKS_MADE = 10;
const CHECKS = 2_000;
const LOOKS = 20;

export interface Opening {
  /** Milliseconds of an opening, without the match: that of the quickest quarter, and in the middle. */
  readonly quickest: number;
  readonly median: number;
  /** Of these, statements by what they are for. */
  readonly statements: readonly { readonly what: string; readonly times: number; readonly ms: number }[];
}

export interface JudgementFigures {
  readonly verification: Opening;
  readonly hit: Opening;
  readonly check: { readonly makeMs: number; readonly bytes: number; readonly microseconds: number };
  /** Milliseconds of a search that is refused when all but the opening is done. */
  readonly refusal: {
    readonly segments: number;
    readonly noneRetired: number;
    readonly justRetired: number;
    readonly someRetired: number;
  };
}

interface Judged {
  readonly custody: CustodyDatabase;
  readonly config: Config;
  readonly keys: WrappingKeys;
  readonly matcher: Matcher;
  readonly galleries: StoredGalleries;
  readonly gallery: Gallery;
}

/** What custody does besides decrypting (docs/adr/0037-the-custodian-judges-what-it-opens.md), in this process. */
export async function measureJudgement(judged: Judged): Promise<JudgementFigures> {
  const { custody, config, keys, matcher, galleries, gallery } = judged;
  const custodian = new LocalKeyCustodian(custody, config, keys);
  const limited = new LocalKeyCustodian(
    custody,
    { ...config, openings: { ...config.openings, perClientMinute: 0 } },
    keys,
  );
  try {
    await Promise.all([custodian.ready(), limited.ready()]);
    const few = await galleries.create(gallery.dimension);
    await galleries.fill(few, FEW);
    const { segmentId, slot, row } = await galleries.rowOf(few, 0);
    const template = { segmentId: asId<'segment'>(segmentId), slot, row };
    const anybody = quantiseProbe(randomFace(0, few.dimension));
    const threshold = await matcher.matchGallery(few, anybody, async (matched) => matched.threshold);
    const asked = (of: Gallery, probe: OpeningRequest['probe']) => ({
      clientId: of.clientId,
      galleryId: of.id,
      probe,
      threshold,
      limit: 10,
    });
    const probeNear = (nth: number) => quantiseProbe(nearFace(randomFace(0, few.dimension), nth));
    const ofTemplate = (probe: OpeningRequest['probe']): Promise<Collected> =>
      matcher.matchTemplates(few, [template], probe, collected);
    const ofGallery = (of: Gallery, probe: OpeningRequest['probe']): Promise<Collected> =>
      matcher.matchGallery(of, probe, ({ scores }) => collected(scores));

    const verification = await openings(custody, custodian, async (nth) => {
      const probe = probeNear(nth);
      const request = { about: 'subject', places: [{ segmentId: template.segmentId, slot }] } as const;
      return [{ ...request, ...asked(few, probe) }, await ofTemplate(probe)];
    });
    const hit = await openings(custody, custodian, async (nth) => {
      const probe = probeNear(nth);
      return [{ about: 'gallery', places: [], ...asked(few, probe) }, await ofGallery(few, probe)];
    });

    const probe = probeNear(0);
    const { c1 } = await ofTemplate(probe);
    const check = await checkCost(await custodian.maskSeed(few.id), probe, c1);

    const scores = await ofGallery(gallery, probe);
    const search = { about: 'gallery', places: [], ...asked(gallery, probe) } as const;
    const look = async (): Promise<number> => {
      const started = performance.now();
      const answered = await limited
        .openScores(search, inOnePart(scores.c1, scores.segments))
        .catch((error: unknown) => error);
      if (!(answered instanceof OpeningsLimited)) throw new Error('a search that was not refused');
      return performance.now() - started;
    };
    await look();
    const noneRetired = await inARow(look);
    const justRetired: number[] = [];
    for (let nth = 0; nth < LOOKS; nth++) {
      await custodian.retire(scores.segments.map((segment) => ({ segmentId: segment.segmentId, slot: nth })));
      justRetired.push(await look());
    }
    const someRetired = await inARow(look);
    const refusal = {
      segments: scores.segments.length,
      noneRetired: median(noneRetired),
      justRetired: median(justRetired),
      someRetired: median(someRetired),
    };
    return { verification, hit, check, refusal };
  } finally {
    await Promise.all([custodian.onApplicationShutdown(), limited.onApplicationShutdown()]);
  }
}

async function openings(
  custody: CustodyDatabase,
  custodian: LocalKeyCustodian,
  matched: (nth: number) => Promise<[OpeningRequest, Collected]>,
): Promise<Opening> {
  const times: number[] = [];
  const open = ([request, scores]: [OpeningRequest, Collected]): Promise<readonly Candidate[]> =>
    custodian.openScores(request, inOnePart(scores.c1, scores.segments));
  await open(await matched(0));
  using statements = new Statements(custody);
  for (let nth = 1; nth <= OPENINGS; nth++) {
    const request = await matched(nth);
    const started = performance.now();
    const found = await open(request);
    times.push(performance.now() - started);
    if (found.length !== 1) throw new Error('somebody was not found');
  }
  return {
    quickest: quantile(times, 0.25),
    median: median(times),
    statements: statements.seen.map(({ what, ms }) => ({
      what,
      times: ms.length / OPENINGS,
      ms: quantile(ms, 0.25),
    })),
  };
}

async function checkCost(
  seed: ConstructorParameters<typeof MaskCheck>[1],
  probe: OpeningRequest['probe'],
  c1: Collected['c1'],
): Promise<JudgementFigures['check']> {
  const ring = await RingKernel.load();
  const words = paddedDimension(probe.length);
  const made: number[] = [];
  for (let nth = 0; nth < CHECKS_MADE; nth++) {
    const started = performance.now();
    using _ = new MaskCheck(ring, seed, words);
    made.push(performance.now() - started);
  }
  using check = new MaskCheck(ring, seed, words);
  const sum = ring.transformSum(c1);
  const started = performance.now();
  for (let nth = 0; nth < CHECKS; nth++) if (!check.holds(sum, probe)) throw new Error('an honest c1 fails');
  const microseconds = ((performance.now() - started) * 1_000) / CHECKS;
  return { makeMs: median(made), bytes: check.bytes, microseconds };
}

async function inARow(look: () => Promise<number>): Promise<number[]> {
  const times: number[] = [];
  for (let nth = 0; nth < LOOKS; nth++) times.push(await look());
  return times;
}
