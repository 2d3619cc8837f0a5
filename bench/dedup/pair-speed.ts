import { PairKernel, type UnsealableRows } from '#homomorphic/kernel/pair-kernel';
import { SLOTS_PER_SEGMENT } from '#homomorphic/parameters';
import { cosineToPairScore, type QuantisedTemplate, quantiseTemplate } from '#homomorphic/quantised-vector';
import { asPad, sealTemplate } from '#homomorphic/sealed-row';
import { nearFace, randomFace } from '../faces-in-space.js';
import { median } from '../load.js';

const REPEATS = 7;
/** Of a segment, for plain JavaScript: it takes many times as long. */
const SHARE = 4;
const MOST = 1_000;
const THRESHOLD = cosineToPairScore(0.9);

export interface PairSpeed {
  readonly dimension: number;
  readonly kernelPairsPerSecond: number;
  readonly plainPairsPerSecond: number;
  /** Both found the same pairs, with the same scores. */
  readonly right: boolean;
}

/**
 * Two segments in one thread: the kernel, which unseals them first, beside plain JavaScript on templates in the clear. They
 * take turns.
 */
export async function measurePairSpeed(dimension: number): Promise<PairSpeed> {
  const kernel = await PairKernel.load();
  const left = templates(0, dimension);
  const right = templates(SLOTS_PER_SEGMENT, dimension);
  const few = left.slice(0, SLOTS_PER_SEGMENT / SHARE);
  const [all, some, others] = [sealed(left, 0), sealed(few, 0), sealed(right, SLOTS_PER_SEGMENT)];
  const kernelMs: number[] = [];
  const plainMs: number[] = [];
  let same = true;
  for (let round = 0; round < REPEATS; round++) {
    const started = performance.now();
    kernel.pairs(all, others, dimension, THRESHOLD, MOST);
    const half = performance.now();
    const plain = plainPairs(few, right);
    plainMs.push(performance.now() - half);
    kernelMs.push(half - started);
    same &&= plain.length > 0;
    same &&= sorted(kernel.pairs(some, others, dimension, THRESHOLD, MOST)) === sorted(plain);
  }
  const pairs = SLOTS_PER_SEGMENT ** 2;
  return {
    dimension,
    kernelPairsPerSecond: (pairs / median(kernelMs)) * 1_000,
    plainPairsPerSecond: (pairs / SHARE / median(plainMs)) * 1_000,
    right: same,
  };
}

/** Every 64th face on the right is one on the left. */
function templates(first: number, dimension: number): QuantisedTemplate[] {
  return Array.from({ length: SLOTS_PER_SEGMENT }, (_, i) => {
    const twin = first > 0 && i % 64 === 0;
    return quantiseTemplate(
      twin ? nearFace(randomFace(i, dimension), first + i) : randomFace(first + i, dimension),
    );
  });
}

/** Under pads of zeros: unsealing takes as long under any. */
function sealed(each: readonly QuantisedTemplate[], firstLabel: number): UnsealableRows {
  const words = each[0]?.length ?? 0;
  const rows = new Uint8Array(each.length * words * 4);
  const pad = asPad(new Uint32Array(words));
  each.forEach((template, n) => rows.set(sealTemplate(pad, template), n * words * 4));
  return {
    rows,
    slots: Uint16Array.from(each.keys()),
    pads: new Uint32Array(SLOTS_PER_SEGMENT * words),
    labels: Uint32Array.from(each.keys(), (n) => firstLabel + n),
  };
}

function plainPairs(left: readonly QuantisedTemplate[], right: readonly QuantisedTemplate[]): Int32Array {
  const found: number[] = [];
  for (const [i, a] of left.entries()) {
    for (const [j, b] of right.entries()) {
      const score = product(a, b);
      if (score >= THRESHOLD) found.push(i, j, score);
    }
  }
  return Int32Array.from(found);
}

function product(a: QuantisedTemplate, b: QuantisedTemplate): number {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += (a[k] ?? 0) * (b[k] ?? 0);
  return sum;
}

function sorted(found: Int32Array | undefined): string {
  const pairs = found ?? new Int32Array();
  return Array.from({ length: pairs.length / 3 }, (_, n) => pairs.subarray(3 * n, 3 * n + 3).join(' '))
    .sort()
    .join();
}
