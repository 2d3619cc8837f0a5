import type { Matcher } from '#biometrics/matcher';
import type { KeyCustodian } from '#custody/key-custodian';
import { quantiseProbe } from '#homomorphic/quantised-vector';
import { asId } from '#platform/ids';
import { nearFace, randomFace } from '../faces-in-space.js';
import type { Gallery, StoredGalleries } from '../search/stored-galleries.js';

const WARM_UP = 3;
/** A process that was just started compiles what it does often for some hundred calls. */
const VERIFICATIONS_TO_WARM_UP = 300;
const VERIFICATIONS = 1_000;

/** Where keys are: in this process, in one of their own as it ships, in one whose freed memory stays as it was. */
const PLACES = ['local', 'remote', 'keeping'] as const;
type Where = (typeof PLACES)[number];

/** Milliseconds of each call, in the order in which they had their turns. */
export type Turns = Readonly<Record<Where, readonly number[]>>;

export interface CustodyFigures {
  readonly verification: Turns;
  readonly search: Turns;
  readonly right: boolean;
}

interface Bench {
  readonly matcher: Matcher;
  readonly galleries: StoredGalleries;
  readonly gallery: Gallery;
  readonly rows: number;
  readonly searches: number;
  readonly custodians: Readonly<Record<Where, KeyCustodian>>;
}

/** Match and opening, in this process and in the custodian's: every call in turn, each round begun by another. */
export async function besideEachOther(bench: Bench): Promise<CustodyFigures> {
  const { matcher, galleries, gallery, rows } = bench;
  const { segmentId, slot, row } = await galleries.rowOf(gallery, 0);
  const template = { segmentId: asId<'segment'>(segmentId), slot, row };
  const anybody = quantiseProbe(randomFace(0, gallery.dimension));
  const threshold = await matcher.matchGallery(gallery, anybody, async (matched) => matched.threshold);
  let right = true;

  const verify = async (custodian: KeyCustodian, nth: number): Promise<number> => {
    const probe = quantiseProbe(nearFace(randomFace(slot, gallery.dimension), rows + nth));
    const { id: galleryId, clientId } = gallery;
    const started = performance.now();
    const places = [{ segmentId: template.segmentId, slot }];
    const asked = { about: 'subject', places, clientId, galleryId, probe, threshold, limit: 1 } as const;
    await matcher.matchTemplates(gallery, [template], probe, (scores) => custodian.openScores(asked, scores));
    return performance.now() - started;
  };
  const search = async (custodian: KeyCustodian, nth: number): Promise<number> => {
    const target = (nth * 7_919) % rows;
    const probe = quantiseProbe(nearFace(randomFace(target, gallery.dimension), rows + target));
    const { id: galleryId, clientId } = gallery;
    const started = performance.now();
    const asked = { about: 'gallery', places: [], clientId, galleryId, probe, threshold, limit: 10 } as const;
    const opened = await matcher.matchGallery(gallery, probe, ({ scores }) =>
      custodian.openScores(asked, scores),
    );
    const ms = performance.now() - started;
    // Faces were sealed in their order, and so were the slots given.
    right &&= opened.length === 1 && opened[0]?.slot === target % 2_048;
    return ms;
  };
  const inTurns = async (
    call: (custodian: KeyCustodian, nth: number) => Promise<number>,
    times: number,
    warmUp: number,
  ): Promise<Turns> => {
    const measured: Record<Where, number[]> = { local: [], remote: [], keeping: [] };
    for (let nth = 0; nth < times + warmUp; nth++) {
      const first = nth % PLACES.length;
      for (const where of [...PLACES.slice(first), ...PLACES.slice(0, first)]) {
        const ms = await call(bench.custodians[where], nth);
        if (nth >= warmUp) measured[where].push(ms);
      }
    }
    return measured;
  };
  const verification = await inTurns(verify, VERIFICATIONS, VERIFICATIONS_TO_WARM_UP);
  const searches = await inTurns(search, bench.searches, WARM_UP);
  return { verification, search: searches, right };
}
