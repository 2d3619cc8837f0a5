import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from './ports.js';

export interface RunningRedis {
  readonly url: string;
  readonly pid: number;
  /** Killed and started again on the same port, with nothing of what it held. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** A private redis-server on a free port of the loopback interface, which keeps nothing when it ends. */
export async function startRedis(folder: string, password: string): Promise<RunningRedis> {
  requireServer();
  mkdirSync(folder, { recursive: true });
  const port = await freePort();
  const configuration = join(folder, `redis-${port}.conf`);
  // Redis takes its password from a file or the command line, and the command line is public.
  const lines = [
    'bind 127.0.0.1',
    `port ${port}`,
    `requirepass ${password}`,
    'save ""',
    'maxmemory-policy noeviction',
  ];
  writeFileSync(configuration, `${lines.join('\n')}\ndir ${folder}\n`, { mode: 0o600 });
  const url = `redis://:${password}@127.0.0.1:${port}`;
  const start = async (): Promise<ChildProcess> => {
    const server = spawn('redis-server', [configuration], { stdio: 'ignore', detached: true });
    await untilUp(url, server.pid ?? 0);
    return server;
  };
  let server = await start();
  return {
    url,
    get pid() {
      return server.pid ?? 0;
    },
    restart: async () => {
      await ended(server, 'SIGKILL');
      server = await start();
    },
    stop: () => ended(server, 'SIGTERM'),
  };
}

function ended(server: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  return new Promise((resolve) => {
    if (server.exitCode !== null || server.signalCode !== null) resolve();
    server.once('exit', () => resolve());
    // One that was paused ends only when it runs again.
    server.kill('SIGCONT');
    server.kill(signal);
  });
}

async function untilUp(url: string, pid: number): Promise<void> {
  const client = new Redis(url, {
    retryStrategy: (tries) => (tries < 200 ? 25 : null),
    maxRetriesPerRequest: null,
  });
  client.on('error', () => undefined);
  try {
    await client.ping();
  } catch {
    throw new Error(`redis-server (process ${pid}) did not answer`);
  } finally {
    client.disconnect();
  }
}

function requireServer(): void {
  if (spawnSync('redis-server', ['--version']).status === 0) return;
  const advice =
    'Install redis-server (Debian: apt-get install redis-server), or set REDIS_URL to a Redis of yours.';
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) throw new Error(advice);
  console.log('Installing redis-server …');
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  // The package starts a server of its own unless policy-rc.d forbids it; we want the program only.
  const policy = '/usr/sbin/policy-rc.d';
  const ours = !existsSync(policy);
  if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  const install = (): boolean =>
    spawnSync('apt-get', ['install', '-y', '-qq', 'redis-server'], { env }).status === 0;
  const done = install() || (spawnSync('apt-get', ['update', '-qq'], { env }).status === 0 && install());
  if (ours) spawnSync('rm', ['-f', policy]);
  if (!done) throw new Error(advice);
}
