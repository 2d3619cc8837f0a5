import type { CkksCost } from './ckks-baseline.js';
import type { GalleryFigures } from './figures.js';

const SIZE = { width: 640, height: 420, left: 72, right: 16, top: 40, bottom: 48 };
const DIMENSION = 512;

/** Milliseconds from probe to answer by the size of the gallery, both logarithmic, as SVG; d = 512. */
export function searchChart(
  galleries: readonly GalleryFigures[],
  ckks: ReadonlyMap<number, CkksCost>,
): string {
  const shown = galleries.filter(({ dimension }) => dimension === DIMENSION);
  const sizes = shown.map(({ size }) => size);
  const ckksMs = (ckks.get(DIMENSION)?.microseconds ?? 0) / 1000;
  const lines = [
    { name: 'plaintext float32 scan', colour: '#d95f02', values: shown.map(({ scanMs }) => scanMs) },
    { name: 'Velum, one probe', colour: '#1b4f9c', values: ofProbes(shown, 1) },
    { name: 'Velum, each of 8 probes', colour: '#6a9bd8', values: ofProbes(shown, 8).map((ms) => ms / 8) },
    { name: 'one CKKS ciphertext a template', colour: '#7a7a7a', values: sizes.map((size) => size * ckksMs) },
  ];
  const decades = { x: [3, 6], y: [-2, 8] } as const;
  const inner = { width: SIZE.width - SIZE.left - SIZE.right, height: SIZE.height - SIZE.top - SIZE.bottom };
  const x = (size: number): number =>
    SIZE.left + ((Math.log10(size) - decades.x[0]) / (decades.x[1] - decades.x[0])) * inner.width;
  const y = (ms: number): number =>
    SIZE.top + (1 - (Math.log10(ms) - decades.y[0]) / (decades.y[1] - decades.y[0])) * inner.height;
  const grid = [
    ...range(decades.x).map(
      (power) =>
        `<path d="M${x(10 ** power)} ${SIZE.top}V${SIZE.top + inner.height}" stroke="#ddd"/>` +
        `<text x="${x(10 ** power)}" y="${SIZE.height - 28}" text-anchor="middle">${(10 ** power).toLocaleString('en')}</text>`,
    ),
    ...range(decades.y).map(
      (power) =>
        `<path d="M${SIZE.left} ${y(10 ** power)}H${SIZE.width - SIZE.right}" stroke="#ddd"/>` +
        `<text x="${SIZE.left - 8}" y="${y(10 ** power) + 4}" text-anchor="end">${10 ** power} ms</text>`,
    ),
  ];
  const drawn = lines.map(({ name, colour, values }, i) => {
    const points = values.map((ms, k) => `${x(sizes[k] ?? 1).toFixed(1)},${y(ms).toFixed(1)}`).join(' ');
    const label = `<text x="${SIZE.left + 12}" y="${SIZE.top + 18 + 18 * i}" fill="${colour}">${name}</text>`;
    return `<polyline points="${points}" fill="none" stroke="${colour}" stroke-width="2"/>${label}`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${SIZE.width} ${SIZE.height}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
<text x="${SIZE.left}" y="24" font-size="15">Time from probe to answer by the size of the gallery, d = ${DIMENSION}</text>
${[...grid, ...drawn].join('\n')}
<text x="${SIZE.left + inner.width / 2}" y="${SIZE.height - 8}" text-anchor="middle">templates</text>
</svg>
`;
}

function ofProbes(galleries: readonly GalleryFigures[], probes: number): number[] {
  return galleries.map(
    ({ searches }) => searches.find((each) => each.probes === probes)?.wallMs ?? Number.NaN,
  );
}

function range([from, to]: readonly [number, number]): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}
