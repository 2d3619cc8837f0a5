import { newMaskSeed } from '#homomorphic/mask-seed';
import { paddedDimension, SLOTS_PER_SEGMENT } from '#homomorphic/parameters';
import { quantiseProbe, type QuantisedProbe } from '#homomorphic/quantised-vector';
import { Thread } from '#platform/thread';
import { availableParallelism, freemem } from 'node:os';
import { nearFace, randomFace } from '../faces-in-space.js';
import { median } from '../load.js';
import { type CkksCost, measureCkks } from './ckks-baseline.js';
import { measureDatabase } from './database-bench.js';
import { measurePgvector, type PgvectorFigures } from './pgvector.js';
import type { Found, SearchCalls } from './search-calls.js';
import type { GalleryFigures, SearchParts } from './figures.js';
import { barsOf, writeSearchReport } from './search-report.js';

/** `npm run bench:search -- [most templates]`; ends with 1 where a bar is missed. */
const MOST = Number(process.argv[2] ?? 1_000_000);
const SIZES = [1_000, 10_000, 100_000, 1_000_000];
const DIMENSIONS = [128, 512];
const PROBES = [1, 8, 32];
const REPEATS = 7;
/** Larger ones take minutes to fill. */
const MOST_STORED = 100_000;

const pgvectorUrl = process.env['PGVECTOR_URL'];

const script = new URL('./search.worker.js', import.meta.url);
const threads = Array.from(
  { length: availableParallelism() },
  () => new Thread<SearchCalls>(script, undefined),
);
const galleries: GalleryFigures[] = [];
const ckks = new Map<number, CkksCost>();
const pgvector: PgvectorFigures[] = [];
try {
  for (const dimension of DIMENSIONS) {
    ckks.set(dimension, await measureCkks(dimension));
    for (const size of SIZES.filter((each) => each <= MOST)) {
      // Rows and the plaintext rows that they are compared with.
      if (size * dimension * 4 * 2 > freemem() * 0.8) {
        console.log(
          `${size} templates of ${dimension} numbers do not fit into this machine's memory: left out.`,
        );
        continue;
      }
      galleries.push(await measureGallery(size, dimension));
      console.log(`d = ${dimension}, N = ${size.toLocaleString('en')} done`);
      if (pgvectorUrl && size <= MOST_STORED) {
        pgvector.push(await measurePgvector(pgvectorUrl, dimension, size));
      }
    }
  }
} finally {
  await Promise.all(threads.map((thread) => thread.close()));
}
const stored = await measureDatabase(SIZES.filter((each) => each <= Math.min(MOST, MOST_STORED)));
const results = { galleries, ckks, pgvector, ...stored, threads: threads.length };
writeSearchReport(results);
const misses = barsOf(results).filter(({ met }) => !met);
for (const { name } of misses) console.error(`missed: ${name}`);
process.exitCode = misses.length > 0 ? 1 : 0;

async function measureGallery(size: number, dimension: number): Promise<GalleryFigures> {
  const words = paddedDimension(dimension);
  const count = Math.ceil(size / SLOTS_PER_SEGMENT);
  const rowsOf = (segment: number): number => Math.min(SLOTS_PER_SEGMENT, size - segment * SLOTS_PER_SEGMENT);
  const all = Array.from({ length: count }, (_, segment) => segment);
  const seed = newMaskSeed();
  const started = performance.now();
  const built = await Promise.all(
    threads.map((thread, t) => {
      const own = all.filter((segment) => segment % threads.length === t);
      const first = own.map((segment) => segment * SLOTS_PER_SEGMENT);
      return thread.call('build', { words, rows: own.map(rowsOf), first, seed });
    }),
  );
  const buildSeconds = (performance.now() - started) / 1000;
  const targets = Array.from({ length: Math.max(...PROBES) }, (_, k) => (k * 7_919 + 3) % size);
  const probes = targets.map((target, k) => quantiseProbe(nearFace(randomFace(target, dimension), size + k)));
  const [probe = probes[0]] = probes;
  if (probe === undefined) throw new Error('there is no probe');

  const scans: number[] = [];
  const reads: number[] = [];
  const searches = PROBES.map((): { wall: number[]; parts: SearchParts[] } => ({ wall: [], parts: [] }));
  let right = true;
  for (let round = 0; round < REPEATS; round++) {
    scans.push((await scan(probe)).ms);
    reads.push(await readSpeed());
    for (const [i, n] of PROBES.entries()) {
      const asked = probes.slice(0, n);
      const { wall, parts, best } = await search(asked);
      searches[i]?.wall.push(wall);
      searches[i]?.parts.push(parts);
      right &&= best.every(({ index }, k) => index === targets[k]);
    }
  }
  // Every probe once against the exact scan: index and score.
  const { best } = await search(probes);
  for (const [k, each] of probes.entries()) {
    const { best: exact } = await scan(each);
    right &&= exact.index === best[k]?.index && exact.score === best[k].score;
  }
  const verifications: number[] = [];
  for (let i = 0; i < 50; i++) verifications.push((await verify(probe, i)).ms);
  await Promise.all(threads.map((thread) => thread.call('clear', null)));
  return {
    dimension,
    size,
    right,
    buildSeconds,
    encryptedBytes: built.reduce((sum, each) => sum + each.encryptedBytes, built[0]?.maskBytes ?? 0),
    plainBytes: built.reduce((sum, each) => sum + each.plainBytes, 0),
    scanMs: median(scans),
    readBytesPerSecond: median(reads),
    searches: searches.map(({ wall, parts }, i) => ({
      probes: PROBES[i] ?? 0,
      wallMs: median(wall),
      matchMs: median(parts.map(({ matchMs }) => matchMs)),
      rowsMs: median(parts.map(({ rowsMs }) => rowsMs)),
      openMs: median(parts.map(({ openMs }) => openMs)),
    })),
    verifyMs: median(verifications),
  };
}

/** From the probes to the answer: matched in every thread, the masks in one of them; then opened in every thread. */
async function search(
  probes: readonly QuantisedProbe[],
): Promise<{ wall: number; parts: SearchParts; best: readonly Found[] }> {
  const started = performance.now();
  const [c1, matched] = await Promise.all([
    firstThread().call('maskProducts', { probes }),
    Promise.all(threads.map((thread) => thread.call('match', { probes }))),
  ]);
  const matchedAt = performance.now();
  const answers = await Promise.all(threads.map((thread) => thread.call('open', { c1, probes })));
  const best = probes.map((_, k) => bestOf(answers.flatMap((answer) => answer[k] ?? [])));
  const ended = performance.now();
  const parts = {
    matchMs: matchedAt - started,
    rowsMs: Math.max(...matched.map(({ ms }) => ms)),
    openMs: ended - matchedAt,
  };
  return { wall: ended - started, parts, best };
}

async function scan(probe: QuantisedProbe): Promise<{ ms: number; best: Found }> {
  const started = performance.now();
  const answers = await Promise.all(threads.map((thread) => thread.call('scan', { probe })));
  const best = bestOf(answers.map((answer) => answer.best));
  return { ms: performance.now() - started, best };
}

async function readSpeed(): Promise<number> {
  const started = performance.now();
  const answers = await Promise.all(threads.map((thread) => thread.call('read', null)));
  const bytes = answers.reduce((sum, answer) => sum + answer.bytes, 0);
  return bytes / ((performance.now() - started) / 1000);
}

function verify(probe: QuantisedProbe, nth: number): Promise<{ ms: number }> {
  return firstThread().call('verify', { probe, nth });
}

function firstThread(): Thread<SearchCalls> {
  const [thread] = threads;
  if (thread === undefined) throw new Error('there is no thread');
  return thread;
}

function bestOf(found: readonly Found[]): Found {
  const none: Found = { index: -1, score: Number.NEGATIVE_INFINITY };
  return found.reduce((best, each) => (each.score > best.score ? each : best), none);
}
