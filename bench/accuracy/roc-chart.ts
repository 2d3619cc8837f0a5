import { BINS } from './comparisons.js';
import type { Histograms } from './measures.js';

interface Curve {
  readonly name: string;
  readonly colour: string;
  readonly dashed: boolean;
  readonly histograms: Histograms;
}

const SIZE = { width: 640, height: 420, left: 64, right: 16, top: 40, bottom: 48 };
const LOWEST_RATE = 1e-5;
const LOWEST_ACCEPTED = 0.7;

/** True accept rate over false match rate (logarithmic), as SVG. */
export function rocChart(title: string, curves: readonly Curve[]): string {
  const inner = {
    width: SIZE.width - SIZE.left - SIZE.right,
    height: SIZE.height - SIZE.top - SIZE.bottom,
  };
  const x = (rate: number): number =>
    SIZE.left + (1 - Math.log10(rate) / Math.log10(LOWEST_RATE)) * inner.width;
  const y = (accepted: number): number =>
    SIZE.top + (1 - (accepted - LOWEST_ACCEPTED) / (1 - LOWEST_ACCEPTED)) * inner.height;
  const right = SIZE.width - SIZE.right;
  const grid = [
    ...[1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1].map(
      (rate) =>
        `<path d="M${x(rate)} ${SIZE.top}V${SIZE.top + inner.height}" stroke="#ddd"/>` +
        `<text x="${x(rate)}" y="${SIZE.height - 28}" text-anchor="middle">${rate}</text>`,
    ),
    ...[0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1].map(
      (rate) =>
        `<path d="M${SIZE.left} ${y(rate)}H${right}" stroke="#ddd"/>` +
        `<text x="${SIZE.left - 8}" y="${y(rate) + 4}" text-anchor="end">${(rate * 100).toFixed(0)} %</text>`,
    ),
  ];
  const lines = curves.map(({ colour, dashed, histograms }) => {
    const points = curve(histograms).map(
      ([rate, accepted]) => `${x(rate).toFixed(1)},${y(accepted).toFixed(1)}`,
    );
    const dash = dashed ? ' stroke-dasharray="6 4"' : '';
    return `<polyline points="${points.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"${dash}/>`;
  });
  const legend = curves.map(
    ({ name, colour }, i) =>
      `<text x="${right - 8}" y="${SIZE.top + inner.height - 16 - 18 * i}" text-anchor="end" fill="${colour}">${name}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${SIZE.width} ${SIZE.height}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
<text x="${SIZE.left}" y="24" font-size="15">${title}</text>
${[...grid, ...lines, ...legend].join('\n')}
<text x="${SIZE.left + inner.width / 2}" y="${SIZE.height - 8}" text-anchor="middle">false match rate</text>
</svg>
`;
}

/** One point for each step of the curve, from the strictest threshold that lets anybody in. */
function curve({ genuine, impostor }: Histograms): [number, number][] {
  const all = { genuine: total(genuine), impostor: total(impostor) };
  const points: [number, number][] = [];
  let matched = 0;
  let accepted = 0;
  for (let bin = BINS - 1; bin >= 0; bin--) {
    matched += impostor[bin] ?? 0;
    accepted += genuine[bin] ?? 0;
    const rate = Math.max(LOWEST_RATE, matched / all.impostor);
    const [lastRate = 0] = points.at(-1) ?? [];
    const share = Math.max(LOWEST_ACCEPTED, accepted / all.genuine);
    // Steps too narrow to be seen are left out.
    if (rate === LOWEST_RATE) points.splice(0, points.length, [rate, share]);
    else if (rate > lastRate * 1.02) points.push([rate, share]);
  }
  return [...points, [1, 1]];
}

function total(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0);
}
