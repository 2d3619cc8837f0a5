import {
  type EncryptedScores,
  loadKernel,
  MOST_PROBES,
  SegmentMemory,
} from '#homomorphic/kernel/segment-memory';
import { asQuantisedProbe, type QuantisedProbe, quantiseTemplate } from '#homomorphic/quantised-vector';
import { asPad, sealTemplate } from '#homomorphic/sealed-row';
import { type GalleryKey, SealEngine } from '#homomorphic/seal-engine';
import { serveCalls } from '#platform/thread';
import { randomFace } from '../faces-in-space.js';
import { loadScan, PlainMemory } from './plain-memory.js';
import type { Found, SearchCalls } from './search-calls.js';

interface BuiltSegment {
  readonly sealed: SegmentMemory;
  readonly plain: PlainMemory;
  readonly slots: readonly number[];
  readonly first: number;
}

const engine = await SealEngine.create();
const kernel = await loadKernel();
const scanner = await loadScan();
let segments: BuiltSegment[] = [];
let key: GalleryKey | undefined;

function loadedKey(): GalleryKey {
  if (key === undefined) throw new Error('no gallery was built');
  return key;
}

/** Real pads, real rows: what a gallery of these faces is in memory. */
function build(words: number, rows: number, first: number): BuiltSegment {
  const { pads, masks } = loadedKey().openSegment(words);
  const sealed = new SegmentMemory(kernel, words, masks);
  const plain = new PlainMemory(scanner, words);
  for (let slot = 0; slot < rows; slot++) {
    const template = quantiseTemplate(randomFace(first + slot, words));
    plain.add(template);
    sealed.setRow(slot, sealTemplate(asPad(pads.slice(slot * words, (slot + 1) * words)), template));
  }
  return { sealed, plain, slots: Array.from({ length: rows }, (_, slot) => slot), first };
}

serveCalls<SearchCalls>({
  build: ({ words, rows, first, secret }) => {
    key?.[Symbol.dispose]();
    key = engine.loadKey(secret);
    segments = rows.map((count, i) => build(words, count, first[i] ?? 0));
    const encryptedBytes = segments.reduce((sum, { sealed }) => sum + sealed.bytes, 0);
    const plainBytes = rows.reduce((sum, count) => sum + count * words * 4, 0);
    return { value: { encryptedBytes, plainBytes } };
  },

  search: ({ segments: count, probes }) => {
    const asked = probes.map(asQuantisedProbe);
    const searched = segments.slice(0, count);
    const started = performance.now();
    const matched = searched.map((segment) => ({ segment, scores: inPasses(segment.sealed, asked) }));
    const matchedAt = performance.now();
    const opened = matched.map(({ segment, scores }) => ({
      segment,
      scores: scores.map((each) => loadedKey().openScores(each, segment.slots)),
    }));
    const openedAt = performance.now();
    const best = asked.map((_, k): Found => {
      let found: Found = { index: -1, score: Number.NEGATIVE_INFINITY };
      for (const { segment, scores } of opened) {
        scores[k]?.forEach((score, slot) => {
          if (score > found.score) found = { index: segment.first + slot, score };
        });
      }
      return found;
    });
    const pickMs = performance.now() - openedAt;
    return { value: { matchMs: matchedAt - started, openMs: openedAt - matchedAt, pickMs, best } };
  },

  scan: ({ segments: count, probe }) => {
    const asked = asQuantisedProbe(probe);
    const started = performance.now();
    let best: Found = { index: -1, score: Number.NEGATIVE_INFINITY };
    for (const { plain, first } of segments.slice(0, count)) {
      const { slot, score } = plain.scan(asked);
      if (score > best.score) best = { index: first + slot, score };
    }
    return { value: { ms: performance.now() - started, best } };
  },

  read: ({ segments: count }) => {
    const started = performance.now();
    const bytes = segments.slice(0, count).reduce((sum, { plain }) => sum + plain.read(), 0);
    return { value: { ms: performance.now() - started, bytes } };
  },

  verify: ({ probe, slot }) => {
    const [segment] = segments;
    if (segment === undefined) throw new Error('no gallery was built');
    const asked = asQuantisedProbe(probe);
    const started = performance.now();
    loadedKey().openScores(segment.sealed.match(asked, [slot]), [slot]);
    return { value: { ms: performance.now() - started } };
  },

  clear: () => {
    segments = [];
    return { value: true };
  },
});

function inPasses(sealed: SegmentMemory, probes: readonly QuantisedProbe[]): EncryptedScores[] {
  const scores: EncryptedScores[] = [];
  for (let k = 0; k < probes.length; k += MOST_PROBES)
    scores.push(...sealed.matchAll(probes.slice(k, k + MOST_PROBES)));
  return scores;
}
