import { PairKernel, type LabelledTemplates } from '#homomorphic/kernel/pair-kernel';
import { SLOTS_PER_SEGMENT } from '#homomorphic/parameters';
import { cosineToPairScore, quantiseTemplate } from '#homomorphic/quantised-vector';
import { nearFace, randomFace } from '../faces-in-space.js';
import { median } from '../load.js';

const REPEATS = 7;
/** Of a segment, for plain JavaScript: it takes many times as long. */
const SHARE = 4;
const THRESHOLD = cosineToPairScore(0.9);

export interface PairSpeed {
  readonly dimension: number;
  readonly kernelPairsPerSecond: number;
  readonly plainPairsPerSecond: number;
  /** Both found the same pairs, with the same scores. */
  readonly right: boolean;
}

/** Two segments of templates in the clear, in one thread: the kernel beside plain JavaScript, which take turns. */
export async function measurePairSpeed(dimension: number): Promise<PairSpeed> {
  const kernel = await PairKernel.load();
  const left = segment(0, dimension);
  const right = segment(SLOTS_PER_SEGMENT, dimension);
  const part = {
    templates: left.templates.slice(0, SLOTS_PER_SEGMENT / SHARE),
    labels: left.labels.slice(0, SLOTS_PER_SEGMENT / SHARE),
  };
  const kernelMs: number[] = [];
  const plainMs: number[] = [];
  let same = true;
  for (let round = 0; round < REPEATS; round++) {
    const started = performance.now();
    kernel.pairs(left, right, THRESHOLD, 1_000);
    const half = performance.now();
    const plain = plainPairs(part, right);
    plainMs.push(performance.now() - half);
    kernelMs.push(half - started);
    same &&= sorted(kernel.pairs(part, right, THRESHOLD, 1_000)) === sorted(plain);
    same &&= plain.length > 0;
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
function segment(first: number, dimension: number): LabelledTemplates {
  const faces = Array.from({ length: SLOTS_PER_SEGMENT }, (_, i) =>
    first > 0 && i % 64 === 0
      ? nearFace(randomFace(i, dimension), first + i)
      : randomFace(first + i, dimension),
  );
  return {
    templates: faces.map(quantiseTemplate),
    labels: Uint32Array.from(faces, (_, i) => first + i),
  };
}

function plainPairs(left: LabelledTemplates, right: LabelledTemplates): Int32Array {
  const found: number[] = [];
  left.templates.forEach((a, i) => {
    right.templates.forEach((b, j) => {
      let score = 0;
      for (let k = 0; k < a.length; k++) score += (a[k] ?? 0) * (b[k] ?? 0);
      if (score >= THRESHOLD) found.push(i, j, score);
    });
  });
  return Int32Array.from(found);
}

function sorted(found: Int32Array | undefined): string {
  const pairs = found ?? new Int32Array();
  return Array.from({ length: pairs.length / 3 }, (_, n) => pairs.subarray(3 * n, 3 * n + 3).join(' '))
    .sort()
    .join();
}
