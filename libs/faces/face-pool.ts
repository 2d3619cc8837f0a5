import { Worker } from 'node:worker_threads';
import type { FaceAnalysis, FaceBox } from './face-analysis.js';
import type { StepSeconds } from './face-pipeline.js';

export interface FaceRequest {
  readonly task: 'analyse' | 'find';
  readonly image: Uint8Array<ArrayBuffer>;
  readonly presentation: boolean;
}

export type FaceReply =
  | { readonly ready: true }
  | { readonly analysis: FaceAnalysis; readonly seconds: StepSeconds }
  | { readonly boxes: readonly FaceBox[] }
  | { readonly fault: string };

/** More images wait than may: try again later. */
export class FacePoolBusy extends Error {
  override readonly name = 'FacePoolBusy';
}

/** An image took longer than the limit, or its worker died: this image's fault, most likely. */
export class FaceAnalysisFailed extends Error {
  override readonly name = 'FaceAnalysisFailed';
}

export interface FacePoolOptions {
  readonly workers: number;
  /** Images that may wait beside those being analysed. */
  readonly mostWaiting?: number;
  readonly timeLimitMs?: number;
  /** Told how long each step took. */
  readonly observe?: (step: FaceStep, seconds: number) => void;
}

/** `wait`: for a worker that is free. */
export type FaceStep = 'wait' | keyof StepSeconds;

interface Job {
  readonly askedAt: number;
  readonly request: FaceRequest;
  readonly resolve: (reply: FaceReply) => void;
  readonly reject: (error: Error) => void;
}

interface Lane {
  readonly worker: Worker;
  ready: boolean;
  job?: Job | undefined;
  timer?: NodeJS.Timeout | undefined;
}

/** The face pipeline in worker threads, one image at a time in each, so that the event loop stays free. */
export class FacePool {
  private readonly lanes = new Set<Lane>();
  private readonly waiting: Job[] = [];
  private readonly workers: number;
  private readonly mostWaiting: number;
  private readonly timeLimitMs: number;
  private readonly observe: (step: FaceStep, seconds: number) => void;
  private closed = false;
  private loadFailures = 0;

  constructor(options: FacePoolOptions) {
    this.workers = options.workers;
    this.mostWaiting = options.mostWaiting ?? 64;
    this.timeLimitMs = options.timeLimitMs ?? 20_000;
    this.observe = options.observe ?? (() => undefined);
  }

  /** Starts the workers, so that the first image does not wait for them. */
  start(): void {
    while (!this.closed && this.lanes.size < this.workers) this.open();
  }

  /** Whether at least one worker has its models loaded. */
  get ready(): boolean {
    return [...this.lanes].some((lane) => lane.ready);
  }

  /** How many workers have their models loaded, how many of them are at work, how many images wait for one. */
  get load(): { readonly ready: number; readonly busy: number; readonly waiting: number } {
    const lanes = [...this.lanes];
    return {
      ready: lanes.filter((lane) => lane.ready).length,
      busy: lanes.filter((lane) => lane.job !== undefined).length,
      waiting: this.waiting.length,
    };
  }

  /** Takes the bytes over: they are handed to the worker and zeroed there. Throws FacePoolBusy, FaceAnalysisFailed. */
  async analyse(image: Uint8Array<ArrayBuffer>, presentation: boolean): Promise<FaceAnalysis> {
    const reply = await this.run({ task: 'analyse', image, presentation });
    if ('analysis' in reply) return reply.analysis;
    throw new FaceAnalysisFailed('the face pipeline failed');
  }

  /** Boxes around the faces of an image, largest first. */
  async findFaces(image: Uint8Array<ArrayBuffer>): Promise<readonly FaceBox[]> {
    const reply = await this.run({ task: 'find', image, presentation: false });
    if ('boxes' in reply) return reply.boxes;
    throw new FaceAnalysisFailed('the face pipeline failed');
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const job of this.waiting.splice(0)) job.reject(new FacePoolBusy('shutting down'));
    await Promise.all([...this.lanes].map((lane) => lane.worker.terminate()));
  }

  private run(request: FaceRequest): Promise<FaceReply> {
    if (this.closed || this.waiting.length >= this.mostWaiting)
      return Promise.reject(new FacePoolBusy('busy'));
    this.start();
    return new Promise((resolve, reject) => {
      this.waiting.push({ askedAt: performance.now(), request, resolve, reject });
      this.dispatch();
    });
  }

  private open(): void {
    const lane: Lane = { worker: new Worker(new URL('./face.worker.js', import.meta.url)), ready: false };
    lane.worker.unref();
    lane.worker.on('message', (reply: FaceReply) => this.receive(lane, reply));
    lane.worker.on('error', () => undefined);
    lane.worker.on('exit', () => this.replace(lane));
    this.lanes.add(lane);
  }

  private receive(lane: Lane, reply: FaceReply): void {
    if ('ready' in reply) {
      lane.ready = true;
      this.loadFailures = 0;
    } else {
      const { job } = lane;
      this.release(lane);
      if ('analysis' in reply) this.observeSteps(reply.seconds);
      job?.resolve(reply);
    }
    this.dispatch();
  }

  private dispatch(): void {
    for (const lane of this.lanes) {
      const job = lane.ready && lane.job === undefined ? this.waiting.shift() : undefined;
      if (job === undefined) continue;
      lane.job = job;
      this.observe('wait', (performance.now() - job.askedAt) / 1_000);
      lane.timer = setTimeout(() => void lane.worker.terminate(), this.timeLimitMs);
      lane.worker.postMessage(job.request, transferable(job.request.image));
    }
  }

  /** A worker that died, or was ended for taking too long, costs its own image only. */
  private replace(lane: Lane): void {
    const { job } = lane;
    if (!lane.ready) this.loadFailures++;
    this.release(lane);
    this.lanes.delete(lane);
    job?.reject(new FaceAnalysisFailed('the worker ended before it answered'));
    if (this.closed) return;
    // A worker that cannot load its models would be restarted for ever: wait longer each time.
    setTimeout(() => this.start(), Math.min(30_000, 100 * this.loadFailures ** 2)).unref();
  }

  private observeSteps({ decode, detect, embed }: StepSeconds): void {
    if (decode !== undefined) this.observe('decode', decode);
    if (detect !== undefined) this.observe('detect', detect);
    if (embed !== undefined) this.observe('embed', embed);
  }

  private release(lane: Lane): void {
    clearTimeout(lane.timer);
    lane.job = undefined;
    lane.timer = undefined;
  }
}

/** Small Buffers share Node's pool, which must not be handed over. */
function transferable(image: Uint8Array<ArrayBuffer>): ArrayBuffer[] {
  return image.byteLength === image.buffer.byteLength ? [image.buffer] : [];
}
