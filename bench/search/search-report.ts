import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { table, writeSection } from '../section.js';
import type { CkksCost } from './ckks-baseline.js';
import type { DatabaseFigures } from './database-bench.js';
import type { GalleryFigures } from './figures.js';
import type { PgvectorFigures } from './pgvector.js';
import { searchChart } from './search-chart.js';

export interface Bar {
  readonly name: string;
  readonly met: boolean;
}

const CHART = 'docs/benchmarks-search.svg';
const SLOWEST_RATIO = 2.2;
const SLOWEST_SHARED_RATIO = 1.3;
const LEAST_CKKS_RATIO = 50_000;
const LONGEST_VERIFICATION_MS = 0.6;

export interface SearchResults extends DatabaseFigures {
  readonly galleries: readonly GalleryFigures[];
  readonly ckks: ReadonlyMap<number, CkksCost>;
  readonly pgvector: readonly PgvectorFigures[];
  readonly threads: number;
}

/** What this run is measured by, as ratios within it. */
export function barsOf({ galleries, ckks, stored }: SearchResults): Bar[] {
  const afterStorage = stored.map(({ dimension, size, right }): Bar => ({
    name: `d = ${dimension}, N = ${count(size)}, from the database: the right answer each time`,
    met: right,
  }));
  const inMemory = galleries.map(({ dimension, size, right }): Bar => ({
    name: `d = ${dimension}, N = ${count(size)}: the right answer each time, with the exact score`,
    met: right,
  }));
  const bars = [...inMemory, ...afterStorage];
  const large = galleries.find(({ dimension, size }) => dimension === 512 && size === 1_000_000);
  if (large === undefined) return bars;
  const { scanMs, searches, verifyMs, size } = large;
  const one = searches.find(({ probes }) => probes === 1);
  const eight = searches.find(({ probes }) => probes === 8);
  const alone = (one?.wallMs ?? Number.NaN) / scanMs;
  const shared = (eight?.wallMs ?? Number.NaN) / 8 / scanMs;
  const perComparison = ((one?.wallMs ?? Number.NaN) * 1000) / size;
  const slower = (ckks.get(512)?.microseconds ?? 0) / perComparison;
  return [
    ...bars,
    bar(
      `one probe among a million: ${alone.toFixed(2)} × a plaintext scan, at most ${SLOWEST_RATIO}`,
      alone <= SLOWEST_RATIO,
    ),
    bar(
      `each of eight probes at once: ${shared.toFixed(2)} × a plaintext scan for one, at most ${SLOWEST_SHARED_RATIO}`,
      shared <= SLOWEST_SHARED_RATIO,
    ),
    bar(
      `one CKKS ciphertext for each template: ${count(Math.round(slower))} × slower, at least ${count(LEAST_CKKS_RATIO)}`,
      slower >= LEAST_CKKS_RATIO,
    ),
    bar(
      `a verification in the engine: ${verifyMs.toFixed(2)} ms, at most ${LONGEST_VERIFICATION_MS}`,
      verifyMs <= LONGEST_VERIFICATION_MS,
    ),
  ];
}

function bar(name: string, met: boolean): Bar {
  return { name, met };
}

/** Prints the figures, writes them to docs/benchmarks.md, and the chart beside it. */
export function writeSearchReport(results: SearchResults): void {
  const text = report(results);
  console.log(`\n${text}`);
  writeFileSync(CHART, searchChart(results.galleries, results.ckks));
  writeSection('bench:search', text);
}

function report(results: SearchResults): string {
  const { galleries, ckks, threads } = results;
  return `## Search, by \`npm run bench:search\`

The engine without HTTP and database, ${threads} threads on ${cpus().length} × ${cpus()[0]?.model.trim() ?? 'CPU'}; synthetic unit vectors,
real pads and keys. Medians. Probe to answer, and its parts, in milliseconds. The plaintext scan
reads float32 rows by the same SIMD means in the same threads, and is the exact reference of every answer.

${table(
  [
    'd',
    'N',
    'probes',
    'probe to answer',
    'match',
    'open and top-k',
    'plaintext scan',
    'each probe to a scan',
  ],
  galleries.flatMap(({ dimension, size, scanMs, searches }) =>
    searches.map(({ probes, wallMs, matchMs, openMs }) => [
      String(dimension),
      count(size),
      String(probes),
      wallMs.toFixed(2),
      matchMs.toFixed(2),
      openMs.toFixed(2),
      scanMs.toFixed(2),
      `${(wallMs / probes / scanMs).toFixed(2)} ×`,
    ]),
  ),
)}

${table(
  [
    'd',
    'N',
    'answers',
    '1:1 ms',
    'memory GB',
    'bytes a template',
    'GB a second: match',
    'scan',
    'plain read',
  ],
  galleries.map(
    ({ dimension, size, right, verifyMs, encryptedBytes, plainBytes, scanMs, searches, ...rest }) => [
      String(dimension),
      count(size),
      right ? 'all exact' : 'WRONG',
      verifyMs.toFixed(2),
      gigabytes(encryptedBytes),
      (encryptedBytes / size).toFixed(0),
      gigabytes((encryptedBytes / (searches[0]?.rowsMs ?? Number.NaN)) * 1000),
      gigabytes((plainBytes / scanMs) * 1000),
      gigabytes(rest.readBytesPerSecond),
    ],
  ),
)}

${table(
  ['one CKKS ciphertext for each template (N = 8192)', 'µs a comparison', 'bytes a template'],
  [...ckks].map(([dimension, { microseconds, bytes }]) => [
    `d = ${dimension}`,
    microseconds.toFixed(0),
    count(bytes),
  ]),
)}

${fromDatabase(results)}

${pgvectorTable(results)}

${barsOf(results)
  .map(({ name, met }) => `- ${met ? 'met' : '**missed**'}: ${name}`)
  .join('\n')}

![time by gallery size](benchmarks-search.svg)
`;
}

function fromDatabase({ stored, small, fairness }: SearchResults): string {
  const parts = [
    `With custody, matcher and PostgreSQL, without HTTP: templates sealed in one call, the first search (which loads the
gallery), the next ones (each reads what changed), and the same with memory for a tenth of the gallery.`,
    table(
      ['d', 'N', 'µs to seal one', 'first search ms', 'next search ms', 'from the database each time, ms'],
      stored.map(({ dimension, size, sealMicroseconds, loadMs, searchMs, streamedMs }) => [
        String(dimension),
        count(size),
        sealMicroseconds.toFixed(0),
        loadMs.toFixed(0),
        searchMs.toFixed(2),
        streamedMs.toFixed(0),
      ]),
    ),
    `${count(small.galleries)} galleries of ${small.faces} faces, d = ${small.dimension}: ${count(Math.round(small.bytesEach))} bytes of the database each, with indexes; the first
search of each ${small.firstSearchMs.toFixed(1)} ms, the next ${small.nextSearchMs.toFixed(1)} ms.`,
  ];
  if (fairness !== undefined) {
    const { size, idleMs, idleP99Ms, busyMs, busyP99Ms } = fairness;
    parts.push(
      `A verification's match while eight searches of ${count(size)} templates never pause: p50 ${busyMs.toFixed(2)} ms, p99 ${busyP99Ms.toFixed(2)};
alone ${idleMs.toFixed(2)} and ${idleP99Ms.toFixed(2)}. It waits for one segment of a search at the most.`,
    );
  }
  return parts.join('\n\n');
}

function pgvectorTable({ pgvector, galleries }: SearchResults): string {
  if (pgvector.length === 0) return 'pgvector was not measured: PGVECTOR_URL was not set.';
  return table(
    ["pgvector's exact scan: d", 'N', 'ms', 'to Velum', 'answers'],
    pgvector.map(({ dimension, size, milliseconds, right }) => {
      const ours = galleries.find((each) => each.dimension === dimension && each.size === size);
      const ratio = milliseconds / (ours?.searches[0]?.wallMs ?? Number.NaN);
      return [
        String(dimension),
        count(size),
        milliseconds.toFixed(2),
        `${ratio.toFixed(1)} ×`,
        right ? 'right' : 'WRONG',
      ];
    }),
  );
}

function gigabytes(bytes: number): string {
  return (bytes / 1e9).toFixed(2);
}

function count(value: number): string {
  return value.toLocaleString('en');
}
