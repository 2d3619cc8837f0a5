import { cpus, loadavg } from 'node:os';
import { median, quantile } from '../load.js';
import { table, writeSection } from '../section.js';
import type { CustodyFigures, Pair } from './turns.js';

const MOST_MS = 1;
const MOST_TIMES = 1.1;

/** Prints the figures and writes them to docs/benchmarks.md; answers whether the bounds are met. */
export function writeCustodyReport(
  rows: number,
  dimension: number,
  { verification, search, right }: CustodyFigures,
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
  const text = `
## Custody in a process of its own, by \`npm run bench:custody\`

${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}, custodian and matcher on the same machine, load average ${loadavg()[0]?.toFixed(1)} at the end;
d = ${dimension}. Milliseconds from the probe to what is opened of its scores, with real rows and PostgreSQL and without HTTP
to a client. Each call in this process has one through the custodian's process beside it, in turns.

${table(
  ['', 'calls', 'in-process p50', 'p99', 'own process p50', 'p99', 'difference of p50', 'times'],
  [lineOf('1:1', verification), lineOf(`1:N, ${rows.toLocaleString('en')} rows`, search)],
)}

${checks.map(([what, met]) => `- ${met ? 'met' : 'NOT met'}: ${what}`).join('\n')}
`;
  console.log(text);
  writeSection('bench:custody', text);
  return checks.every(([, met]) => met);
}

function lineOf(name: string, { local, remote }: Pair): string[] {
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
