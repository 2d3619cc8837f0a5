import { nodeHash } from '../verifier/verify-audit.mjs';
import { HASH_BYTES, subtreeRoot, type Tile, WIDTH } from './tree-edge.js';

/** Leaves `from` up to, not including, `to`: a part of the tree that has a root. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export interface TilePlace {
  readonly level: number;
  readonly index: number;
}

/** RFC 6962 section 2.1.1: whose roots lead from a leaf to the root of `size` leaves, nearest first. */
export function inclusionPath(leaf: number, size: number): Span[] {
  return climb(leaf, { from: 0, to: size });
}

/** RFC 6962 section 2.1.2: whose roots show that the first `from` leaves begin the tree of `to`. */
export function consistencyPath(from: number, to: number): Span[] {
  return from === 0 || from === to ? [] : subproof(from, { from: 0, to }, true);
}

function climb(leaf: number, { from, to }: Span): Span[] {
  if (to - from === 1) return [];
  const middle = from + splitOf(to - from);
  return leaf < middle
    ? [...climb(leaf, { from, to: middle }), { from: middle, to }]
    : [...climb(leaf, { from: middle, to }), { from, to: middle }];
}

function subproof(known: number, span: Span, whole: boolean): Span[] {
  const { from, to } = span;
  if (known === to) return whole ? [] : [span];
  const middle = from + splitOf(to - from);
  return known <= middle
    ? [...subproof(known, { from, to: middle }, whole), { from: middle, to }]
    : [...subproof(known, { from: middle, to }, false), { from, to: middle }];
}

/** The largest power of two below `count`. */
function splitOf(count: number): number {
  let split = 1;
  while (split * 2 < count) split *= 2;
  return split;
}

/** Complete subtrees that a span is made of, from left to right: widths are powers of two that fall. */
function subtrees({ from, to }: Span): Span[] {
  const parts: Span[] = [];
  for (let start = from; start < to;) {
    let width = 1;
    while (start % (width * 2) === 0 && start + width * 2 <= to) width *= 2;
    parts.push({ from: start, to: start + width });
    start += width;
  }
  return parts;
}

/** Which tiles hold what the roots of the spans are made of. */
export function tilesFor(spans: readonly Span[]): TilePlace[] {
  const places = spans.flatMap(subtrees).map((part) => placeOf(part));
  return [...new Map(places.map(({ level, index }) => [`${level}/${index}`, { level, index }])).values()];
}

/** The root of each span. Throws if a tile lacks what it must have. */
export function rootsOf(spans: readonly Span[], tiles: readonly Tile[]): Buffer[] {
  const rows = new Map(tiles.map(({ level, index, hashes }) => [`${level}/${index}`, hashes]));
  return spans.map((span) =>
    subtrees(span)
      .map((part) => {
        const { level, index, first, width } = placeOf(part);
        const hashes = rows
          .get(`${level}/${index}`)
          ?.subarray(first * HASH_BYTES, (first + width) * HASH_BYTES);
        if (hashes?.length !== width * HASH_BYTES) throw new RangeError('the stored tree lacks a part');
        return subtreeRoot(hashes);
      })
      .reduceRight((right, left) => nodeHash(left, right)),
  );
}

function placeOf({ from, to }: Span): TilePlace & { first: number; width: number } {
  let [level, start, width] = [0, from, to - from];
  while (width >= WIDTH) [level, start, width] = [level + 1, start / WIDTH, width / WIDTH];
  return { level, index: Math.floor(start / WIDTH), first: start % WIDTH, width };
}
