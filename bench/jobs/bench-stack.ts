import { resolve } from 'node:path';
import { AppProcess } from '../../infra/dev/app-process.js';
import { asOwner, type DatabaseUrls } from '../../infra/dev/database.js';
import { prepareApps, startInstallation } from '../../infra/dev/installation.js';
import { BenchClient } from '../bench-client.js';
import { NO_LIMITS } from '../no-limits.js';

/** An API on a database of its own, and workers as they are needed. */
export class BenchStack {
  private readonly stops: (() => Promise<unknown>)[] = [];
  private workers: AppProcess[] = [];

  private constructor(
    readonly api: AppProcess,
    readonly client: BenchClient,
    readonly urls: DatabaseUrls,
    private readonly env: Readonly<Record<string, string>>,
  ) {}

  static async start(): Promise<BenchStack> {
    const installation = await startInstallation(resolve('.velum/bench'));
    const database = `velum_bench_${Date.now()}`;
    const { urls, env } = await prepareApps(installation, database);
    const all = { ...env, ...NO_LIMITS, PORT: '0', SPOOL_DIR: resolve('.velum/bench/spool') };
    const api = await AppProcess.start('api', all);
    const stack = new BenchStack(api, await BenchClient.create(api.url, env), urls, all);
    stack.stops.push(
      () => installation.stop(),
      () =>
        asOwner(new URL('/postgres', installation.server).toString(), (client) =>
          client.query(`DROP DATABASE ${database} WITH (FORCE)`),
        ),
      () => api.stop(),
      () => stack.stopWorkers(),
    );
    return stack;
  }

  async startWorker(env: Readonly<Record<string, string>> = {}): Promise<AppProcess> {
    const worker = await AppProcess.start('worker', { ...this.env, ...env });
    this.workers.push(worker);
    return worker;
  }

  async stopWorkers(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.stop()));
    this.workers = [];
  }

  async stop(): Promise<void> {
    for (const stop of this.stops.toReversed()) await stop();
  }
}
