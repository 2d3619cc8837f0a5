import type { OpeningRequest, SealedTemplate, SegmentScores } from '#custody/key-custodian';
import { RingKernel } from '#homomorphic/kernel/ring-kernel';
import { loadKernel, type Residues, RowMemory } from '#homomorphic/kernel/row-memory';
import { expandMasks, type MaskSeed } from '#homomorphic/mask-seed';
import { paddedDimension } from '#homomorphic/parameters';
import type { QuantisedProbe } from '#homomorphic/quantised-vector';

/** What a matcher makes of a probe and sealed rows, without a database. */
export async function matched(
  dimension: number,
  seed: MaskSeed,
  sealed: readonly SealedTemplate[],
  probe: QuantisedProbe,
): Promise<Pick<OpeningRequest, 'probe' | 'c1' | 'segments'>> {
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
