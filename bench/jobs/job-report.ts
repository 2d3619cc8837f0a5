import { table, writeSection } from '../section.js';

interface Latency {
  readonly p50: number;
  readonly p99: number;
}

interface Growth {
  readonly before: number;
  readonly peak: number;
}

/** Of the face pipeline alone. */
export interface BareRate {
  readonly perSecond: number;
  readonly processorMs: number;
}

export interface JobFigures {
  readonly photographs: number;
  /** Photographs a second. */
  readonly oneWorker: number;
  readonly twoWorkers: number;
  readonly oneThread: BareRate;
  readonly twoThreads: BareRate;
  /** Milliseconds. */
  readonly verifyIdle: Latency;
  readonly verifyBusy: Latency;
  readonly embeddings: number;
  /** Enrolments a second. */
  readonly bulkRate: number;
  readonly singleRate: number;
  /** Megabytes at most. */
  readonly memoryOneJob: number;
  readonly waitingJobs: number;
  readonly memoryWaitingJobs: number;
  readonly bigEntries: number;
  readonly bigBytes: number;
  readonly uploadSeconds: number;
  readonly readSeconds: number;
  readonly apiMemory: Growth;
  readonly workerMemory: Growth;
}

export function writeJobReport(figures: JobFigures): void {
  const { verifyIdle: idle, verifyBusy: busy, oneWorker, twoWorkers, oneThread, twoThreads } = figures;
  const text = `## Bulk jobs

Written by \`npm run bench:jobs\`: medians of several rounds in one run, on PostgreSQL and Redis of their own.

**Two workers share a job** of ${figures.photographs} photographs; each worker has one face thread. Beside it the face
pipeline alone, which is the limit: one of its threads keeps more than one processor busy, since photographs are decoded
apart, and PostgreSQL, Redis and the API take theirs.

${table(
  ['', 'photographs a second', 'ratio', 'processors busy', 'processor ms a photograph'],
  [
    ['one worker', oneWorker.toFixed(1), '', '', ''],
    ['two workers', twoWorkers.toFixed(1), times(twoWorkers, oneWorker), '', ''],
    ['the pipeline alone, one thread', oneThread.perSecond.toFixed(1), '', ...processors(oneThread)],
    [
      'the pipeline alone, two threads',
      twoThreads.perSecond.toFixed(1),
      times(twoThreads.perSecond, oneThread.perSecond),
      ...processors(twoThreads),
    ],
  ],
)}

**A single verification** (1:1, an embedding) through the API while a worker on the same processors enrols photographs.

${table(
  ['', 'p50, ms', 'p99, ms'],
  [
    ['no job', idle.p50.toFixed(2), idle.p99.toFixed(2)],
    ['a big job', busy.p50.toFixed(2), busy.p99.toFixed(2)],
    ['ratio', times(busy.p50, idle.p50), times(busy.p99, idle.p99)],
  ],
)}

**${figures.embeddings.toLocaleString('en')} embeddings** of 128 numbers, each enrolment with its consent check, its pad and
its audit record; one by one means 16 connections.

${table(
  ['', 'enrolments a second', 'ratio'],
  [
    ['one by one', figures.singleRate.toFixed(0), ''],
    ['as a job', figures.bulkRate.toFixed(0), times(figures.bulkRate, figures.singleRate)],
  ],
)}

**Memory**: what a process held at most. With ${figures.waitingJobs} such jobs waiting instead of one the worker took
${times(figures.memoryWaitingJobs, figures.memoryOneJob)} (${figures.memoryOneJob.toFixed(0)} MB with one,
${figures.memoryWaitingJobs.toFixed(0)} MB). An archive of ${(figures.bigBytes / 1e9).toFixed(2)} GB with
${figures.bigEntries.toLocaleString('en')} photographs and a manifest was taken in ${figures.uploadSeconds.toFixed(0)} s, and
${figures.readSeconds.toFixed(1)} s later its items were being worked on:

${table(
  ['', 'before, MB', 'at most, MB'],
  [
    ['API', figures.apiMemory.before.toFixed(0), figures.apiMemory.peak.toFixed(0)],
    ['worker', figures.workerMemory.before.toFixed(0), figures.workerMemory.peak.toFixed(0)],
  ],
)}
`;
  writeSection('jobs', text);
}

function times(a: number, b: number): string {
  return `${(a / b).toFixed(2)} ×`;
}

function processors({ perSecond, processorMs }: BareRate): [string, string] {
  return [((perSecond * processorMs) / 1_000).toFixed(2), processorMs.toFixed(0)];
}
