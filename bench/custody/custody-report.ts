import { cpus, loadavg } from 'node:os';
import { median, quantile } from '../load.js';
import { table, writeSection } from '../section.js';
import type { JudgementFigures, Opening } from './judgement.js';
import type { CustodyFigures, Turns } from './turns.js';

const MOST_MS = 1;
const MOST_TIMES = 1.1;

/** Prints the figures and writes them to docs/benchmarks.md; answers whether the bounds are met. */
export function writeCustodyReport(
  rows: number,
  dimension: number,
  { verification, search, right }: CustodyFigures,
  judgement: JudgementFigures,
): boolean {
  const overhead = median(verification.remote) - median(verification.local);
  const times = median(search.remote) / median(search.local);
  const checks: [string, boolean][] = [
    [`1:1: ${overhead.toFixed(2)} ms more at the median, at most ${MOST_MS}`, overhead <= MOST_MS],
    [
      `1:N among ${rows.toLocaleString('en')}: ${times.toFixed(2)} × at the median, at most ${MOST_TIMES}`,
      times <= MOST_TIMES,
    ],
    ['every search found the one it was made from', right],
  ];
  const searched = `1:N, ${rows.toLocaleString('en')} rows`;
  const text = `
## Custody in a process of its own, by \`npm run bench:custody\`

${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}, custodian and matcher on the same machine, load average ${loadavg()[0]?.toFixed(1)} at the end;
d = ${dimension}. Milliseconds from the probe to what is opened of its scores, with real rows and PostgreSQL and without HTTP
to a client. Each call in this process has one through the custodian's process beside it, in turns.

${table(
  ['', 'calls', 'in-process p50', 'p99', 'own process p50', 'p99', 'difference of p50', 'times'],
  [lineOf('1:1', verification), lineOf(searched, search)],
)}

${checks.map(([what, met]) => `- ${met ? 'met' : 'NOT met'}: ${what}`).join('\n')}

The custodian's process as it ships overwrites what it frees (\`GLIBC_TUNABLES\`). In the same turns, a third one that does not:

${table(
  ['', 'p50 without', 'p50 with', 'times'],
  [freeingOf('1:1', verification), freeingOf(searched, search)],
)}

### What custody does besides decrypting

In this process, a gallery of 100; milliseconds of an opening without the match, and of its statements, each of the
quickest quarter.

${table(
  ['', 'quickest quarter', 'p50', ...judgement.hit.statements.map(({ what }) => what)],
  [openingOf('1:1', judgement.verification), openingOf('1:N that finds somebody', judgement.hit)],
)}

The check of c1 takes ${judgement.check.microseconds.toFixed(0)} µs an opening; to make one, for a gallery and a thread, ${judgement.check.makeMs.toFixed(1)} ms and
${(judgement.check.bytes / 1_024).toFixed(0)} KB. ${refusalOf(rows, judgement.refusal)}
`;
  console.log(text);
  writeSection('bench:custody', text);
  return checks.every(([, met]) => met);
}

function lineOf(name: string, { local, remote }: Turns): string[] {
  const [a, b] = [median(local), median(remote)];
  return [
    name,
    String(local.length),
    a.toFixed(2),
    quantile(local, 0.99).toFixed(2),
    b.toFixed(2),
    quantile(remote, 0.99).toFixed(2),
    (b - a).toFixed(2),
    `${(b / a).toFixed(2)} ×`,
  ];
}

function freeingOf(name: string, { remote, keeping }: Turns): string[] {
  const [without, shipped] = [median(keeping), median(remote)];
  return [name, without.toFixed(2), shipped.toFixed(2), `${(shipped / without).toFixed(2)} ×`];
}

function openingOf(name: string, { quickest, median: middle, statements }: Opening): string[] {
  return [
    name,
    quickest.toFixed(2),
    middle.toFixed(2),
    ...statements.map(({ times, ms }) => `${times} × ${ms.toFixed(2)}`),
  ];
}

function refusalOf(
  rows: number,
  { segments, noneRetired, justRetired, someRetired }: JudgementFigures['refusal'],
): string {
  return `A search among ${rows.toLocaleString('en')} rows in ${segments} segments that is judged, and
refused as one too many, takes ${noneRetired.toFixed(2)} ms at the median where no slot is retired, ${someRetired.toFixed(2)} where slots of each segment
are, ${justRetired.toFixed(2)} right after one more was.`;
}
