import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { HASH_BYTES, type Tile, TreeEdge } from './internal/tree-edge.js';
import { consistencyPath, inclusionPath, rootsOf, tilesFor } from './internal/tree-paths.js';
import {
  EMPTY_ROOT,
  leafHash,
  nodeHash,
  verifyConsistency,
  verifyInclusion,
} from './verifier/verify-audit.mjs';

/** RFC 6962 section 2.1, as it is written there. */
function referenceRoot(hashes: readonly Buffer[]): Buffer {
  if (hashes.length === 0) return createHash('sha256').digest();
  const [only] = hashes;
  if (hashes.length === 1 && only !== undefined) return only;
  let k = 1;
  while (k * 2 < hashes.length) k *= 2;
  return nodeHash(referenceRoot(hashes.slice(0, k)), referenceRoot(hashes.slice(k)));
}

const leaves = (count: number): Buffer[] =>
  Array.from({ length: count }, (_, i) => leafHash(Buffer.from(`leaf ${i}`)));

/** Grows a tree in steps, keeping rows as the database does. */
function grow(hashes: readonly Buffer[], steps: readonly number[]): { edge: TreeEdge; tiles: Tile[] } {
  const stored = new Map<string, Tile>();
  const edge = new TreeEdge(0, []);
  for (let [from, i] = [0, 0]; from < hashes.length; i++) {
    const to = from + (steps[i % steps.length] ?? 1);
    for (const tile of edge.append(Buffer.concat(hashes.slice(from, to)))) {
      stored.set(`${tile.level}/${tile.index}`, { ...tile, hashes: Buffer.from(tile.hashes) });
    }
    from = to;
  }
  return { edge, tiles: [...stored.values()] };
}

function needed(tiles: readonly Tile[], spans: Parameters<typeof tilesFor>[0]): Tile[] {
  const places = new Set(tilesFor(spans).map(({ level, index }) => `${level}/${index}`));
  return tiles.filter(({ level, index }) => places.has(`${level}/${index}`));
}

const size = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 250, max: 600 }));
const steps = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 4 });

describe('the tree', () => {
  test('has the root of RFC 6962, however it grew', () => {
    fc.assert(
      fc.property(size, steps, (count, by) => {
        const hashes = leaves(count);
        expect(grow(hashes, by).edge.root()).toEqual(referenceRoot(hashes));
      }),
      { numRuns: 60 },
    );
  });

  test('of 70,000 leaves has rows on three levels, and the same root from its rows', () => {
    const hashes = leaves(70_000);
    const { edge, tiles } = grow(hashes, [8_191, 20_000, 1]);
    expect(new Set(tiles.map(({ level }) => level))).toEqual(new Set([0, 1, 2]));
    const whole = [{ from: 0, to: 70_000 }];
    expect(rootsOf(whole, needed(tiles, whole))).toEqual([referenceRoot(hashes)]);
    expect(edge.root()).toEqual(referenceRoot(hashes));
  });

  test('without leaves has the hash of nothing for its root', () => {
    expect(new TreeEdge(0, []).root()).toEqual(EMPTY_ROOT);
  });

  test('is not made of rows that do not belong to its size', () => {
    expect(() => new TreeEdge(3, [Buffer.alloc(2 * HASH_BYTES)])).toThrow(RangeError);
  });
});

describe('a proof', () => {
  const place = size.chain((count) => fc.tuple(fc.constant(count), fc.nat(count - 1)));

  test('of inclusion verifies for any leaf of any tree; with any bit changed it does not', () => {
    fc.assert(
      fc.property(place, steps, fc.nat(), ([count, leaf], by, flip) => {
        const hashes = leaves(count);
        const { edge, tiles } = grow(hashes, by);
        const spans = inclusionPath(leaf, count);
        const proof = rootsOf(spans, needed(tiles, spans));
        const own = hashes[leaf] ?? EMPTY_ROOT;
        expect(verifyInclusion(leaf, count, own, proof, edge.root())).toBe(true);
        expect(verifyInclusion(leaf, count, flipped(own, flip), proof, edge.root())).toBe(false);
        expect(verifyInclusion(leaf, count, own, proof, flipped(edge.root(), flip))).toBe(false);
        expect(verifyInclusion(leaf, count, own, [...proof, own], edge.root())).toBe(false);
        if (proof.length === 0) return;
        const at = flip % proof.length;
        const changed = proof.map((hash, i) => (i === at ? flipped(hash, flip) : hash));
        expect(verifyInclusion(leaf, count, own, changed, edge.root())).toBe(false);
        expect(verifyInclusion(leaf, count, own, proof.slice(1), edge.root())).toBe(false);
      }),
      { numRuns: 60 },
    );
  });

  test('of consistency verifies between any two sizes; with any bit changed, or swapped, it does not', () => {
    fc.assert(
      fc.property(place, steps, fc.nat(), ([to, from], by, flip) => {
        const hashes = leaves(to);
        const { edge, tiles } = grow(hashes, by);
        const spans = consistencyPath(from, to);
        const proof = rootsOf(spans, needed(tiles, spans));
        const [older, newer] = [referenceRoot(hashes.slice(0, from)), edge.root()];
        expect(verifyConsistency(from, to, older, newer, proof)).toBe(true);
        expect(verifyConsistency(from, to, flipped(older, flip), newer, proof)).toBe(false);
        if (from > 0) expect(verifyConsistency(from, to, older, flipped(newer, flip), proof)).toBe(false);
        if (from !== to) expect(verifyConsistency(from, to, newer, older, proof)).toBe(false);
        if (proof.length === 0) return;
        const at = flip % proof.length;
        const changed = proof.map((hash, i) => (i === at ? flipped(hash, flip) : hash));
        expect(verifyConsistency(from, to, older, newer, changed)).toBe(false);
        expect(verifyConsistency(from, to, older, newer, proof.slice(0, -1))).toBe(false);
      }),
      { numRuns: 60 },
    );
  });
});

function flipped(hash: Buffer, seed: number): Buffer {
  const copy = Buffer.from(hash);
  copy[seed % HASH_BYTES] = (copy[seed % HASH_BYTES] ?? 0) ^ (1 << (seed % 8));
  return copy;
}
