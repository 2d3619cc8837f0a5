import { Counter, Histogram } from 'prom-client';

/** Parts of the work that are timed; docs/metrics.md says what each covers. */
export type Stage =
  | 'face_wait'
  | 'decode'
  | 'detect'
  | 'embed'
  | 'match_subject'
  | 'match_gallery'
  | 'open_scores'
  | 'compare'
  | 'seal'
  | 'reseal'
  | 'open_segment'
  | 'prepare'
  | 'chunk'
  | 'chunk_transaction';

const stageSeconds = new Histogram({
  name: 'velum_stage_seconds',
  help: 'How long a part of the work took',
  labelNames: ['stage'],
  // From the rows of one subject to the input of a large job.
  buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120],
});

export function observeStage(stage: Stage, seconds: number): void {
  stageSeconds.observe({ stage }, seconds);
}

/** Counts how long the work took, however it ended. */
export async function timed<R>(stage: Stage, work: () => Promise<R>): Promise<R> {
  const started = performance.now();
  try {
    return await work();
  } finally {
    observeStage(stage, (performance.now() - started) / 1_000);
  }
}

export const brokenBindings = new Counter({
  name: 'velum_broken_bindings_total',
  help: 'Sealed rows that this process found where nobody enrolled them',
});

export const jobItems = new Counter({
  name: 'velum_job_items_total',
  help: 'Items of bulk jobs that this process ended',
  labelNames: ['type', 'outcome'],
});
