import { FacePool } from '#faces/face-pool';
import { Readable } from 'node:stream';
import { photosFromSamples } from '../../infra/dev/demo-photos.js';
import { randomFace } from '../faces-in-space.js';
import { type Load, measure, median } from '../load.js';
import { BenchStack } from './bench-stack.js';
import { BulkClient, photographs, rateOf } from './bulk-client.js';
import { type BareRate, type JobFigures, writeJobReport } from './job-report.js';
import { forgetPeak, megabytes, peakMegabytes } from './process-memory.js';

const ROUNDS = 3;
const PHOTOGRAPHS = 240;
const BARE_PHOTOGRAPHS = 60;
const VERIFICATIONS = 1_500;
const EMBEDDINGS = 20_000;
/** A subject has ten templates in a gallery at the most. */
const WAITING_JOBS = 8;
const DIMENSION = 128;
const BIG_ENTRIES = 199_999;
const BIG_FILE_BYTES = 10_600;
const ONE_THREAD = { FACE_WORKERS: '1' };

const stack = await BenchStack.start();
try {
  const { client } = stack;
  const bulk = new BulkClient(stack.api.url, client);
  const { people } = await photosFromSamples();
  const photos = people.flatMap(({ enrol }) => enrol);
  const sharing = await measureSharing(bulk, photos);
  const figures: JobFigures = {
    ...sharing,
    ...(await measureVerification(bulk, photos)),
    ...(await measureEmbeddings(bulk)),
    ...(await measureBigInput(bulk)),
  };
  writeJobReport(figures);
} finally {
  await stack.stop();
}

/** One worker with one face thread, and two of them; beside them the pipeline alone in one thread and in two. */
async function measureSharing(
  bulk: BulkClient,
  photos: readonly Buffer[],
): Promise<Pick<JobFigures, 'photographs' | 'oneWorker' | 'twoWorkers' | 'oneThread' | 'twoThreads'>> {
  const subjects = await stack.client.people(PHOTOGRAPHS);
  const rates: [number[], number[]] = [[], []];
  const bare: [BareRate[], BareRate[]] = [[], []];
  for (let round = 1; round <= ROUNDS; round++) {
    for (const workers of [1, 2] as const) {
      bare[workers - 1]?.push(await bareRate(photos, workers));
      for (let i = 0; i < workers; i++) await stack.startWorker(ONE_THREAD);
      const gallery = await stack.client.photoGallery(`${workers} workers, round ${round}`);
      // The first photographs load the models.
      const warm = await bulk.start(gallery, 'identify', 'application/zip', probes(photos));
      await bulk.ended(warm.job.id);
      const input = photographs(subjects, photos);
      const { job } = await bulk.start(gallery, 'enrol', 'application/zip', input);
      const rate = rateOf(await bulk.ended(job.id));
      rates[workers - 1]?.push(rate);
      await stack.stopWorkers();
      console.log(`round ${round}: ${workers} worker(s), ${rate.toFixed(1)} photographs a second`);
    }
  }
  const [oneWorker = 0, twoWorkers = 0] = rates.map(median);
  const [oneThread, twoThreads] = bare.map((rounds) => ({
    perSecond: median(rounds.map(({ perSecond }) => perSecond)),
    processorMs: median(rounds.map(({ processorMs }) => processorMs)),
  }));
  if (oneThread === undefined || twoThreads === undefined) throw new Error('nothing was measured');
  return { photographs: PHOTOGRAPHS, oneWorker, twoWorkers, oneThread, twoThreads };
}

/** Enough that both of two workers have some in hand, and load their models. */
function probes(photos: readonly Buffer[]): Readable {
  const rows = Array.from({ length: 32 }, (_, i) => `${i}`);
  return photographs(rows, photos);
}

async function bareRate(photos: readonly Buffer[], threads: number): Promise<BareRate> {
  const pool = new FacePool({ workers: threads });
  const analyse = (count: number): Promise<unknown> =>
    Promise.all(
      Array.from({ length: count }, (_, i) =>
        pool.analyse(new Uint8Array(photos[i % photos.length] ?? Buffer.alloc(0)), false),
      ),
    );
  await analyse(8);
  const [started, before] = [performance.now(), process.cpuUsage()];
  await analyse(BARE_PHOTOGRAPHS);
  const seconds = (performance.now() - started) / 1_000;
  const { user, system } = process.cpuUsage(before);
  await pool.close();
  return {
    perSecond: BARE_PHOTOGRAPHS / seconds,
    processorMs: (user + system) / 1_000 / BARE_PHOTOGRAPHS,
  };
}

/** A single verification through the API, idle and while a worker has all the photographs that it can take. */
async function measureVerification(
  bulk: BulkClient,
  photos: readonly Buffer[],
): Promise<Pick<JobFigures, 'verifyIdle' | 'verifyBusy'>> {
  const gallery = await stack.client.gallery('verified', DIMENSION);
  const [subjectId = ''] = await stack.client.people(1);
  const face = randomFace(1, DIMENSION);
  await measure(stack.api.url, 1, 0, () => stack.client.enrol(gallery, subjectId, { embedding: face }));
  const verify = (): Promise<Load> =>
    measure(stack.api.url, VERIFICATIONS, 0, () =>
      stack.client.verify(gallery, subjectId, { embedding: face }),
    );
  const subjects = await stack.client.people(2_000);
  const [idle, busy]: [Load[], Load[]] = [[], []];
  await verify();
  await stack.startWorker();
  for (let round = 1; round <= ROUNDS; round++) {
    idle.push(await verify());
    const into = await stack.client.photoGallery(`busy, round ${round}`);
    const { job } = await bulk.start(into, 'enrol', 'application/zip', photographs(subjects, photos));
    await bulk.until(job.id, ({ done }) => done > 16);
    busy.push(await verify());
    await bulk.cancel(job.id);
    console.log(
      `round ${round}: p99 of a verification ${idle.at(-1)?.p99.toFixed(1)} ms idle, ${busy.at(-1)?.p99.toFixed(1)} ms busy`,
    );
  }
  await stack.stopWorkers();
  return { verifyIdle: medians(idle), verifyBusy: medians(busy) };
}

function medians(loads: readonly Load[]): { p50: number; p99: number } {
  return { p50: median(loads.map(({ p50 }) => p50)), p99: median(loads.map(({ p99 }) => p99)) };
}

/** Many embeddings: by job, and one call at a time on 16 connections; and what a longer queue takes of memory. */
async function measureEmbeddings(
  bulk: BulkClient,
): Promise<
  Pick<
    JobFigures,
    'embeddings' | 'bulkRate' | 'singleRate' | 'memoryOneJob' | 'waitingJobs' | 'memoryWaitingJobs'
  >
> {
  const subjects = await stack.client.people(EMBEDDINGS);
  const worker = await stack.startWorker();
  const lines = (seed: number): Readable =>
    Readable.from(
      (function* () {
        for (const [i, subjectId] of subjects.entries()) {
          const embedding = randomFace(seed + i, DIMENSION).map((value) => Math.fround(value));
          yield `${JSON.stringify({ subjectId, embedding })}\n`;
        }
      })(),
      { objectMode: false },
    );
  const start = async (into: string, seed: number): Promise<string> =>
    (await bulk.start(into, 'enrol', 'application/x-ndjson', lines(seed * EMBEDDINGS))).job.id;
  const first = await stack.client.gallery('embeddings', DIMENSION);
  const job = await bulk.ended(await start(first, 0));
  forgetPeak(worker.pid);
  await bulk.ended(await start(first, 1));
  const memoryOneJob = peakMegabytes(worker.pid);
  await stack.stopWorkers();
  // All are there before the worker is.
  const waiting: string[] = [];
  for (let i = 2; i < 2 + WAITING_JOBS; i++) waiting.push(await start(first, i));
  const other = await stack.startWorker();
  for (const id of waiting) await bulk.ended(id);
  const memoryWaitingJobs = peakMegabytes(other.pid);
  await stack.stopWorkers();
  const gallery = await stack.client.gallery('one by one', DIMENSION);
  let next = 0;
  const single = await measure(stack.api.url, 1, 4_000, () => {
    const i = next++;
    return stack.client.enrol(gallery, subjects[i] ?? '', { embedding: randomFace(i, DIMENSION) });
  });
  return {
    embeddings: EMBEDDINGS,
    bulkRate: rateOf(job),
    singleRate: single.perSecond,
    memoryOneJob,
    waitingJobs: WAITING_JOBS,
    memoryWaitingJobs,
  };
}

/** Two gigabytes in two hundred thousand entries: what both processes take, and how long until it is being worked on. */
async function measureBigInput(
  bulk: BulkClient,
): Promise<
  Pick<JobFigures, 'bigEntries' | 'bigBytes' | 'uploadSeconds' | 'readSeconds' | 'apiMemory' | 'workerMemory'>
> {
  const worker = await stack.startWorker();
  const gallery = await stack.client.photoGallery('big');
  const subjects = Array.from({ length: BIG_ENTRIES }, () => crypto.randomUUID());
  const before = { api: megabytes(stack.api.pid), worker: megabytes(worker.pid) };
  for (const { pid } of [stack.api, worker]) forgetPeak(pid);
  const started = performance.now();
  const file = [Buffer.alloc(BIG_FILE_BYTES, 'not a photograph ')];
  const { job, bytes } = await bulk.start(
    gallery,
    'enrol',
    'application/zip',
    photographs(subjects, file, true),
  );
  const uploadSeconds = (performance.now() - started) / 1_000;
  const running = await bulk.until(job.id, ({ total }) => total !== null);
  await bulk.until(job.id, ({ refused }) => refused > 1_000);
  const figures = {
    bigEntries: BIG_ENTRIES,
    bigBytes: bytes,
    uploadSeconds,
    readSeconds: (Date.parse(running.startedAt) - Date.parse(running.createdAt)) / 1_000,
    apiMemory: { before: before.api, peak: peakMegabytes(stack.api.pid) },
    workerMemory: { before: before.worker, peak: peakMegabytes(worker.pid) },
  };
  await bulk.cancel(job.id);
  await stack.stopWorkers();
  return figures;
}
