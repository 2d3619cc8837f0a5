import { cpus, totalmem } from 'node:os';
import type { Load } from './load.js';
import { table, writeSection } from './section.js';
import type { Storage } from './storage.js';

export interface Results {
  readonly rounds: number;
  readonly calls: number;
  readonly templates: number;
  readonly empty: Load;
  readonly galleries: readonly {
    readonly dimension: number;
    readonly firstEnrolmentMs: number;
    readonly enrolment: Load;
    readonly verify: Load;
    readonly identify: Load;
    readonly storage: Storage;
  }[];
  readonly bareMs: number;
  readonly photoVerifyMs: number;
  readonly photoEnrolMs: number;
}

/** Prints the figures and writes them to docs/benchmarks.md. */
export function writeReport(results: Results): void {
  const text = report(results);
  console.log(`\n${text}`);
  writeSection('bench', text);
}

function report({ rounds, calls, templates, empty, galleries, ...photo }: Results): string {
  const { bareMs, photoVerifyMs, photoEnrolMs } = photo;
  const of = (name: string, load: Load): string[] => [
    name,
    load.p50.toFixed(2),
    load.p99.toFixed(2),
    load.perSecond.toFixed(0),
    `${(load.p50 / empty.p50).toFixed(1)} ×`,
  ];
  return `## The API, by \`npm run bench\`

All in one run: ${cpus().length} × ${cpus()[0]?.model.trim() ?? 'CPU'},
${(totalmem() / 2 ** 30).toFixed(0)} GiB, Node ${process.versions.node}, PostgreSQL, Redis, API and load on the same machine.

### Calls

Medians of ${rounds} rounds in which every call has its turn. p50 and p99 in milliseconds: ${calls} requests one after the
other. Requests a second: ${calls} on 16 connections. Each answer rests on a token check, rate limits in Redis, the consent and
an audit record in PostgreSQL. 1:N searches ${templates.toLocaleString('en')} templates. Enrolment is measured once, while the galleries fill.

${table(
  ['call', 'p50', 'p99', 'requests a second', 'p50 to an empty route'],
  [
    of('an empty Nest route in the same process (`GET /health`)', empty),
    ...galleries.flatMap(({ dimension: d, verify, identify, enrolment }) => [
      of(`verify by embedding, d = ${d}`, verify),
      of(`identify by embedding, d = ${d}`, identify),
      of(`enrol by embedding, d = ${d}`, enrolment),
    ]),
  ],
)}

Segments are made ahead; only an enrolment that comes at once after its gallery was created waits for the first: ${galleries
    .map(({ dimension: d, firstEnrolmentMs }) => `${firstEnrolmentMs.toFixed(0)} ms for d = ${d}`)
    .join(', ')}.

### Photographs

Milliseconds, one after the other, on faces cut from the photographs of \`@vladmandic/face-api\`.

${table(
  ['', 'p50', 'to the bare pipeline'],
  [
    [
      'the bare pipeline in a worker thread: decode, detect, align, embed, judge',
      bareMs.toFixed(0),
      '1.00 ×',
    ],
    ['verify by photograph, over HTTP', photoVerifyMs.toFixed(0), `${(photoVerifyMs / bareMs).toFixed(2)} ×`],
    [
      'enrol by one photograph, over HTTP',
      photoEnrolMs.toFixed(0),
      `${(photoEnrolMs / bareMs).toFixed(2)} ×`,
    ],
  ],
)}

### Bytes

${table(
  ['for each template', ...galleries.map(({ dimension }) => `d = ${dimension}`)],
  [
    ['sealed row', ...galleries.map(({ storage }) => storage.row.toFixed(0))],
    ['its share of the table and its indexes', ...galleries.map(({ storage }) => storage.table.toFixed(0))],
    ['its share of the key of a full segment', ...galleries.map(({ storage }) => storage.key.toFixed(1))],
    ['the embedding as float32, for comparison', ...galleries.map(({ dimension }) => String(dimension * 4))],
  ],
)}
`;
}
