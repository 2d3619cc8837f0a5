import { writeFileSync } from 'node:fs';
import type { FaceSet } from './face-set.js';
import {
  equalErrorRate,
  foldedAccuracy,
  histograms,
  type Histograms,
  intervals,
  operatingPoint,
  rankOne,
} from './measures.js';
import type { Comparisons } from './comparisons.js';
import { rocChart } from './roc-chart.js';

const RATES = [1e-2, 1e-3, 1e-4];
const DRAWS = 200;
/** LFW's View 2 pairs come fold by fold; the embeddings cover the first five. */
const FOLDS = 5;

export interface Accuracy {
  readonly equalErrorRate: number;
  readonly trueAcceptRates: readonly number[];
  readonly cosines: readonly number[];
  readonly rankOne: number;
  readonly probes: number;
  readonly accuracy: number | undefined;
  readonly histograms: Histograms;
  /** Of the equal error rate, and of each true accept rate. */
  readonly intervals: readonly (readonly [number, number])[];
}

export function accuracyOf({ people, pairs }: FaceSet, bins: Comparisons): Accuracy {
  const found = histograms(bins, people);
  const points = RATES.map((rate) => operatingPoint(found, rate));
  const { rate, probes } = rankOne(bins, people);
  return {
    equalErrorRate: equalErrorRate(found),
    trueAcceptRates: points.map(({ trueAcceptRate }) => trueAcceptRate),
    cosines: points.map(({ cosine }) => cosine),
    rankOne: rate,
    probes,
    accuracy: pairs && foldedAccuracy(bins, people.length, pairs, FOLDS),
    histograms: found,
    intervals: intervals(bins, people, DRAWS, (drawn) => [
      equalErrorRate(drawn),
      ...RATES.map((each) => operatingPoint(drawn, each).trueAcceptRate),
    ]),
  };
}

const percent = (share: number, digits = 1): string => `${(share * 100).toFixed(digits)} %`;

const within = ([low, high]: readonly [number, number] = [Number.NaN, Number.NaN]): string =>
  ` (${percent(low)} to ${percent(high)})`;

/** A section in Markdown; its chart is written beside the document. */
export function section(set: FaceSet, encrypted: Accuracy, plain: Accuracy): string {
  const chart = `accuracy-${set.name}.svg`;
  const curves = [
    { name: 'floats', colour: '#d95f02', dashed: false, histograms: plain.histograms },
    { name: 'encrypted', colour: '#1b4f9c', dashed: true, histograms: encrypted.histograms },
  ];
  writeFileSync(`docs/${chart}`, rocChart(`${set.name}: ${set.source}`, curves));
  const row = (name: string, of: (accuracy: Accuracy) => string): string =>
    `| ${name} | ${of(encrypted)} | ${of(plain)} |`;
  return [
    `## ${set.name}`,
    '',
    `${set.source}; ${total(plain.histograms.genuine)} comparisons of one person, ${total(plain.histograms.impostor)} of two.`,
    '',
    `| | encrypted engine | floats |`,
    `| --- | --- | --- |`,
    row('equal error rate', (a) => percent(a.equalErrorRate, 2) + within(a.intervals[0])),
    ...RATES.map((rate, i) =>
      row(
        `true accept rate at a false match rate of ${rate}`,
        (a) => percent(a.trueAcceptRates[i] ?? 0) + within(a.intervals[i + 1]),
      ),
    ),
    ...RATES.map((rate, i) => row(`cosine for ${rate}`, (a) => (a.cosines[i] ?? 0).toFixed(4))),
    row(`rank-1, one enrolled each, ${plain.probes} probes`, (a) => percent(a.rankOne)),
    ...(plain.accuracy === undefined
      ? []
      : [row(`accuracy on LFW's pairs, ${FOLDS} folds`, (a) => percent(a.accuracy ?? 0, 2))]),
    '',
    `![ROC](${chart})`,
    '',
  ].join('\n');
}

function total(values: Float64Array): string {
  return values.reduce((sum, value) => sum + value, 0).toLocaleString('en');
}
