import { type GenuineScores, genuineScores, type SegmentToOpen } from '#homomorphic/genuine-scores';
import { loadKernel, MOST_PROBES, type Residues, RowMemory } from '#homomorphic/kernel/row-memory';
import { asMaskSeed, expandMasks } from '#homomorphic/mask-seed';
import { SLOTS_PER_SEGMENT } from '#homomorphic/parameters';
import {
  asQuantisedProbe,
  cosineToScore,
  type QuantisedProbe,
  quantiseTemplate,
  type Score,
} from '#homomorphic/quantised-vector';
import { asPad, type SealedRow, sealTemplate } from '#homomorphic/sealed-row';
import { SealEngine } from '#homomorphic/seal-engine';
import { SegmentKey } from '#homomorphic/segment-key';
import { serveCalls } from '#platform/thread';
import { randomFace } from '../faces-in-space.js';
import { loadScan, PlainMemory } from './plain-memory.js';
import type { Found, SearchCalls } from './search-calls.js';

interface BuiltSegment {
  readonly key: SegmentKey;
  readonly sealed: RowMemory;
  readonly plain: PlainMemory;
  /** Some of its rows, to be matched 1:1. */
  readonly samples: readonly SealedRow[];
  readonly slots: Uint16Array;
  readonly first: number;
}

const SAMPLES = 50;
/** What models' galleries have is about that. */
const THRESHOLD = cosineToScore(0.4);
/** So that a verification looks at the score whatever it is. */
const LEAST = cosineToScore(-1);
const TOP_K = 10;

const engine = await SealEngine.create();
const kernel = await loadKernel();
const scanner = await loadScan();
let segments: BuiltSegment[] = [];
/** Of the last match: for each segment, for each probe. */
let matched: Residues[][] = [];
let single: RowMemory | undefined;
let masks: RowMemory | undefined;

function loadedMasks(): RowMemory {
  if (masks === undefined) throw new Error('no gallery was built');
  return masks;
}

/** Real keys, real pads, real rows: what a gallery of these faces is in memory. */
function build(words: number, rows: number, first: number, seed: Uint8Array): BuiltSegment {
  const key = new SegmentKey(engine.ring, engine.createSegmentSecret());
  const pads = key.pads(asMaskSeed(seed), words);
  const sealed = new RowMemory(kernel, words);
  const plain = new PlainMemory(scanner, words);
  const samples: SealedRow[] = [];
  for (let slot = 0; slot < rows; slot++) {
    const template = quantiseTemplate(randomFace(first + slot, words));
    plain.add(template);
    const row = sealTemplate(asPad(pads.slice(slot * words, (slot + 1) * words)), template);
    sealed.setRow(slot, row);
    if (slot < SAMPLES) samples.push(row);
  }
  return { key, sealed, plain, samples, slots: Uint16Array.from({ length: rows }, (_, slot) => slot), first };
}

serveCalls<SearchCalls>({
  build: ({ words, rows, first, seed }) => {
    masks = new RowMemory(kernel, words);
    masks.setRows(expandMasks(engine.ring, asMaskSeed(seed), words));
    segments = rows.map((count, i) => build(words, count, first[i] ?? 0, seed));
    const encryptedBytes = segments.reduce((sum, { sealed }) => sum + sealed.bytes, 0);
    const plainBytes = rows.reduce((sum, count) => sum + count * words * 4, 0);
    return { value: { encryptedBytes, maskBytes: masks.bytes, plainBytes } };
  },

  maskProducts: ({ probes }) => {
    const value = inPasses(loadedMasks(), probes.map(asQuantisedProbe));
    return { value, transfer: value.map(({ buffer }) => buffer) };
  },

  match: ({ probes }) => {
    const asked = probes.map(asQuantisedProbe);
    const started = performance.now();
    matched = segments.map(({ sealed }) => inPasses(sealed, asked));
    return { value: { ms: performance.now() - started } };
  },

  open: ({ c1, probes }) => {
    const best = c1.map((each, k): readonly Found[] => {
      const own = segments.map((segment, i) => ({ ...segment, c0: matched[i]?.[k] ?? each }));
      const { best: found } = opened(
        own,
        each,
        asQuantisedProbe(probes[k] ?? new Int8Array()),
        THRESHOLD,
        TOP_K,
      );
      return found.map(({ segment, slot, score }) => ({ index: segment.first + slot, score }));
    });
    return { value: best };
  },

  scan: ({ probe }) => {
    const asked = asQuantisedProbe(probe);
    const started = performance.now();
    let best: Found = { index: -1, score: Number.NEGATIVE_INFINITY };
    for (const { plain, first } of segments) {
      const { slot, score } = plain.scan(asked);
      if (score > best.score) best = { index: first + slot, score };
    }
    return { value: { ms: performance.now() - started, best } };
  },

  read: () => {
    const started = performance.now();
    const bytes = segments.reduce((sum, { plain }) => sum + plain.read(), 0);
    return { value: { ms: performance.now() - started, bytes } };
  },

  verify: ({ probe, nth }) => {
    const [segment] = segments;
    const slot = nth % (segment?.samples.length ?? 1);
    const row = segment?.samples[slot];
    if (segment === undefined || row === undefined) throw new Error('no gallery was built');
    const asked = asQuantisedProbe(probe);
    const started = performance.now();
    single ??= new RowMemory(kernel, asked.length);
    single.setRows(row);
    const [c0] = single.products([asked]);
    const [c1] = loadedMasks().products([asked]);
    if (c0 === undefined || c1 === undefined) throw new RangeError('a probe without products');
    // Where the custodian gets it: at its slot, whose noise it has.
    const placed = new Uint32Array(SLOTS_PER_SEGMENT);
    placed[slot] = c0[0] ?? 0;
    opened([{ key: segment.key, slots: [slot], c0: placed }], c1, asked, LEAST, 1);
    single.clear();
    return { value: { ms: performance.now() - started } };
  },

  clear: () => {
    segments = [];
    matched = [];
    masks = undefined;
    single = undefined;
    return { value: true };
  },
});

/** As the custodian opens what a matcher has made. */
function opened<S extends SegmentToOpen>(
  own: readonly S[],
  c1: Residues,
  probe: QuantisedProbe,
  threshold: Score,
  limit: number,
): GenuineScores<S> {
  const found = genuineScores(own, engine.ring.transformSum(c1), probe, threshold, limit);
  if (found === undefined || found.forged > 0) throw new Error('a score that no row and probe have made');
  return found;
}

function inPasses(rows: RowMemory, probes: readonly QuantisedProbe[]): Residues[] {
  const products: Residues[] = [];
  for (let k = 0; k < probes.length; k += MOST_PROBES)
    products.push(...rows.products(probes.slice(k, k + MOST_PROBES)));
  return products;
}
