import { MEMORY, NODE_FLAGS } from '#platform/hardening';
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** What is started anew by the hundred need not be compiled each time. */
const NODE_COMPILE_CACHE = join(process.cwd(), '.velum/compile-cache');

type Environment = Readonly<Record<string, string | undefined>>;

/** A process of ours: API, worker or custodian, compiled. */
export class AppProcess {
  /** Where API or custodian listen; empty for a worker. */
  url = '';
  /** Where it serves metrics; empty if it does not. */
  internalUrl = '';
  readonly log: string[] = [];
  private readonly exited: Promise<number>;

  private constructor(private readonly child: ChildProcess) {
    this.exited = new Promise((resolve) => child.once('exit', (code) => resolve(code ?? -1)));
  }

  /** Starts `dist/apps/<app>/main.js` and waits until it says that it listens or works; throws what it said if not. */
  static async start(app: 'api' | 'worker' | 'custodian', env: Environment): Promise<AppProcess> {
    const child = spawn(process.execPath, [...NODE_FLAGS[app], `dist/apps/${app}/main.js`], {
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], NODE_COMPILE_CACHE, ...MEMORY, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own: Ctrl-C in the terminal reaches us, and we end it in order.
      detached: true,
    });
    const started = new AppProcess(child);
    await started.untilReady();
    return started;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Ends it as an orchestrator would; answers its exit code. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    return this.exited;
  }

  private async untilReady(): Promise<void> {
    const { stdout, stderr } = this.child;
    if (stdout === null || stderr === null) throw new Error('the process has no output');
    createInterface({ input: stderr }).on('line', (line) => this.log.push(line));
    const ready = new Promise<void>((resolve) => {
      createInterface({ input: stdout }).on('line', (line) => {
        this.log.push(line);
        const entry = readyEntry(line);
        if (entry === undefined) return;
        this.url = entry.url;
        this.internalUrl = entry.internalUrl;
        resolve();
      });
    });
    const ended = this.exited.then((code) => {
      throw new Error(`the process ended with ${code}:\n${this.log.slice(-20).join('\n')}`);
    });
    await Promise.race([ready, ended]);
  }
}

function readyEntry(line: string): { url: string; internalUrl: string } | undefined {
  if (!line.includes('"listening"') && !line.includes('"working"')) return undefined;
  const entry: unknown = JSON.parse(line);
  if (typeof entry !== 'object' || entry === null || !('message' in entry)) return undefined;
  if (entry.message !== 'listening' && entry.message !== 'working') return undefined;
  const url = 'url' in entry ? String(entry.url) : '';
  return { url, internalUrl: 'internalUrl' in entry ? String(entry.internalUrl) : '' };
}
