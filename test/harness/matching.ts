import type {
  Candidate,
  KeyCustodian,
  OpeningRequest,
  Place,
  ScoresPart,
  SealedTemplate,
  SegmentScores,
} from '#custody/key-custodian';
import { RingKernel } from '#homomorphic/kernel/ring-kernel';
import { loadKernel, type Residues, RowMemory } from '#homomorphic/kernel/row-memory';
import { expandMasks, type MaskSeed } from '#homomorphic/mask-seed';
import { paddedDimension } from '#homomorphic/parameters';
import type { QuantisedProbe } from '#homomorphic/quantised-vector';

/** A request and all of its scores, which a matcher would make meanwhile. */
export interface MatchedRequest extends Omit<OpeningRequest, 'places'> {
  readonly c1: Residues;
  readonly segments: readonly SegmentScores[];
  /** Where these are others than the scores'. */
  readonly places?: readonly Place[];
}

/** In one part. */
export async function* inOnePart(
  c1: Residues,
  segments: readonly SegmentScores[],
): AsyncGenerator<ScoresPart> {
  yield { c1, segments };
}

/** The places of scores, which one has to name where they are a person's. */
export function placesOf(segments: readonly SegmentScores[]): Place[] {
  return segments.flatMap(({ segmentId, slots }) => Array.from(slots, (slot) => ({ segmentId, slot })));
}

/** Opening takes the scores over, as a matcher makes them for each opening anew: these stay. */
export function openMatched(
  custodian: KeyCustodian,
  { c1, segments, ...request }: MatchedRequest,
): Promise<readonly Candidate[]> {
  const copies = segments.map((each) => ({ ...each, c0: each.c0.slice() }));
  const places = request.about === 'subject' ? placesOf(segments) : [];
  return custodian.openScores({ places, ...request }, inOnePart(c1, copies));
}

/** What a matcher makes of a probe and sealed rows, without a database. */
export async function matched(
  dimension: number,
  seed: MaskSeed,
  sealed: readonly SealedTemplate[],
  probe: QuantisedProbe,
): Promise<Pick<MatchedRequest, 'probe' | 'c1' | 'segments'>> {
  const [kernel, ring] = await Promise.all([loadKernel(), RingKernel.load()]);
  const words = paddedDimension(dimension);
  const masks = new RowMemory(kernel, words);
  masks.setRows(expandMasks(ring, seed, words));
  const segments = [...Map.groupBy(sealed, ({ segmentId }) => segmentId)].map(
    ([segmentId, share]): SegmentScores => {
      const rows = new RowMemory(kernel, words);
      for (const { slot, row } of share) rows.setRow(slot, row);
      const slots = Uint16Array.from(share, ({ slot }) => slot);
      return { segmentId, slots, c0: productOf(rows, probe) };
    },
  );
  return { probe, c1: productOf(masks, probe), segments };
}

function productOf(rows: RowMemory, probe: QuantisedProbe): Residues {
  const [product] = rows.products([probe]);
  if (product === undefined) throw new Error('no products');
  return product;
}
