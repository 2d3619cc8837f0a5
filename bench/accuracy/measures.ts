import { BINS, type Comparisons, cosineOfBin } from './comparisons.js';

/** How many comparisons of one person, and of two, fell on each score; weighted, if people are drawn anew. */
export interface Histograms {
  readonly genuine: Float64Array;
  readonly impostor: Float64Array;
}

export interface OperatingPoint {
  readonly falseMatchRate: number;
  readonly trueAcceptRate: number;
  /** The lowest cosine at which the rate is met. */
  readonly cosine: number;
}

/** Every pair once. `weights[p]` counts how often person p was drawn. */
export function histograms(bins: Comparisons, people: readonly number[], weights?: Float64Array): Histograms {
  const genuine = new Float64Array(BINS);
  const impostor = new Float64Array(BINS);
  const n = people.length;
  const person = Uint32Array.from(people);
  const drawn = weights ?? new Float64Array(n).fill(1);
  for (let i = 0; i < n; i++) {
    const a = person[i] ?? 0;
    const weight = drawn[a] ?? 0;
    if (weight === 0) continue;
    for (let j = i + 1; j < n; j++) {
      const b = person[j] ?? 0;
      const bin = bins[i * n + j] ?? 0;
      if (a === b) genuine[bin] = (genuine[bin] ?? 0) + weight;
      else impostor[bin] = (impostor[bin] ?? 0) + weight * (drawn[b] ?? 0);
    }
  }
  return { genuine, impostor };
}

/** From the highest score down, until one more step would let more impostors in than `falseMatchRate`. */
export function operatingPoint({ genuine, impostor }: Histograms, falseMatchRate: number): OperatingPoint {
  const allowed = falseMatchRate * sum(impostor);
  let matched = 0;
  let accepted = 0;
  let bin = BINS;
  while (bin > 0 && matched + (impostor[bin - 1] ?? 0) <= allowed) {
    bin--;
    matched += impostor[bin] ?? 0;
    accepted += genuine[bin] ?? 0;
  }
  return { falseMatchRate, trueAcceptRate: accepted / sum(genuine), cosine: cosineOfBin(bin) };
}

/** Where as many impostors are let in as genuine persons are turned away. */
export function equalErrorRate({ genuine, impostor }: Histograms): number {
  const all = { genuine: sum(genuine), impostor: sum(impostor) };
  let matched = all.impostor;
  let turnedAway = 0;
  let before = 1;
  for (let bin = 0; bin < BINS; bin++) {
    const [falseMatch, falseNonMatch] = [matched / all.impostor, turnedAway / all.genuine];
    if (falseNonMatch >= falseMatch) return (Math.min(before, falseNonMatch) + falseMatch) / 2;
    before = falseMatch;
    matched -= impostor[bin] ?? 0;
    turnedAway += genuine[bin] ?? 0;
  }
  return 1;
}

/** How often the nearest of the enrolled is the right one: each person's first embedding against all its others. */
export function rankOne(bins: Comparisons, people: readonly number[]): { rate: number; probes: number } {
  const n = people.length;
  const first = new Map<number, number>();
  people.forEach((person, i) => {
    if (!first.has(person)) first.set(person, i);
  });
  const enrolled = [...first.values()];
  let probes = 0;
  let right = 0;
  people.forEach((person, i) => {
    if (first.get(person) === i) return;
    probes++;
    let best = enrolled[0] ?? 0;
    for (const j of enrolled) if ((bins[i * n + j] ?? 0) > (bins[i * n + best] ?? 0)) best = j;
    if (people[best] === person) right++;
  });
  return { rate: right / probes, probes };
}

/** The share of LFW's pairs judged right, each fold by the threshold that is best for the others. */
export function foldedAccuracy(
  bins: Comparisons,
  n: number,
  pairs: readonly (readonly [number, number, number])[],
  folds: number,
): number {
  const judged = pairs.map(([a, b, same]) => ({ bin: bins[a * n + b] ?? 0, same: same === 1 }));
  const foldOf = (i: number): number => Math.floor((i * folds) / judged.length);
  let right = 0;
  for (let fold = 0; fold < folds; fold++) {
    const threshold = bestThreshold(judged.filter((_, i) => foldOf(i) !== fold));
    right += judged.filter(({ bin, same }, i) => foldOf(i) === fold && bin >= threshold === same).length;
  }
  return right / judged.length;
}

function bestThreshold(judged: readonly { bin: number; same: boolean }[]): number {
  const ascending = judged.toSorted((a, b) => a.bin - b.bin);
  let right = ascending.filter(({ same }) => same).length;
  let best = { right, threshold: 0 };
  ascending.forEach(({ bin, same }, i) => {
    right += same ? -1 : 1;
    const next = ascending[i + 1]?.bin;
    if (right > best.right && next !== bin) best = { right, threshold: bin + 1 };
  });
  return best.threshold;
}

/** 95 % intervals by drawing people, with replacement: comparisons of one person are not independent of each other. */
export function intervals(
  bins: Comparisons,
  people: readonly number[],
  draws: number,
  measures: (histograms: Histograms) => readonly number[],
): (readonly [number, number])[] {
  const count = new Set(people).size;
  const random = mulberry32(1);
  const samples = Array.from({ length: draws }, () => {
    const weights = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      const drawn = Math.floor(random() * count);
      weights[drawn] = (weights[drawn] ?? 0) + 1;
    }
    return measures(histograms(bins, people, weights));
  });
  return (samples[0] ?? []).map((_, i) => {
    const sorted = samples.map((sample) => sample[i] ?? Number.NaN).sort((x, y) => x - y);
    const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
    return [at(0.025), at(0.975)];
  });
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}

function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}
